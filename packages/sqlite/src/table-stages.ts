import { compareCodePoints, type Field, type Stage } from '@treeline/query';
import { columnName, Grouping, type TableRow } from './aggregate.ts';

/** Applies a stage to the rows of a table, which the stage before has made. */
export function applyStage(
  rows: readonly TableRow[],
  stage: Exclude<Stage, { kind: 'context' }>,
): TableRow[] {
  switch (stage.kind) {
    case 'limit':
      return rows.slice(0, stage.limit);
    case 'sort':
      return sortRows(rows, stage.field, stage.descending);
    case 'fields':
      return rows.map((row) =>
        Object.fromEntries(stage.fields.map((field) => [columnName(field), valueOf(row, field) ?? null])),
      );
    case 'top': {
      const grouping = new Grouping([columnName(stage.field)], []);
      for (const row of rows) {
        const value = valueOf(row, stage.field);
        if (isPresent(value)) grouping.add([value], 1);
      }
      return topRows(grouping.rows(), stage.limit);
    }
    case 'hist': {
      const grouping = new Grouping(['ts', ...stage.by.map(columnName)], []);
      for (const row of rows) {
        const ts = valueOf(row, TIME);
        if (typeof ts !== 'number') continue;
        grouping.add([stepOf(ts, stage.stepMs), ...stage.by.map((field) => valueOf(row, field))], 1);
      }
      return grouping.rows();
    }
    default: {
      const aggregates = stage.kind === 'stats' ? stage.aggregates : [];
      const grouping = new Grouping(stage.by.map(columnName), aggregates);
      for (const row of rows) {
        const values = aggregates.map(({ field }) => (field ? valueOf(row, field) : undefined));
        grouping.add(
          stage.by.map((field) => valueOf(row, field)),
          1,
          values,
        );
      }
      return grouping.rows();
    }
  }
}

const TIME: Field = { kind: 'column', name: 'time' };

export function stepOf(ts: number, stepMs: number): number {
  return Math.floor(ts / stepMs) * stepMs;
}

/** The most frequent first; equals in the order of their values. */
export function topRows(rows: readonly TableRow[], limit: number): TableRow[] {
  return rows
    .toSorted(
      (a, b) => Number(b.count) - Number(a.count) || compareValues(Object.values(a)[0], Object.values(b)[0]),
    )
    .slice(0, limit);
}

/** A histogram calls its times `ts`. */
function valueOf(row: TableRow, field: Field): unknown {
  const name = columnName(field);
  if (Object.hasOwn(row, name)) return row[name];
  if (field.kind === 'column') return field.name === 'time' ? row.ts : undefined;
  let value: unknown = row;
  for (const segment of field.segments) {
    if (typeof value !== 'object' || value === null || typeof segment === 'object') return undefined;
    if ((typeof segment === 'number') !== Array.isArray(value) || !Object.hasOwn(value, segment))
      return undefined;
    value = (value as Record<string | number, unknown>)[segment];
  }
  return value;
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function sortRows(rows: readonly TableRow[], field: Field, descending: boolean): TableRow[] {
  return rows.toSorted((a, b) => {
    const [left, right] = [valueOf(a, field), valueOf(b, field)];
    // What is absent comes last in either direction.
    if (!isPresent(left) || !isPresent(right)) return Number(!isPresent(left)) - Number(!isPresent(right));
    return descending ? compareValues(right, left) : compareValues(left, right);
  });
}

/** Numbers before texts, texts by code points, all else by its JSON. */
function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'number' || typeof b === 'number') return typeof a === 'number' ? -1 : 1;
  const [left, right] = [a, b].map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
  return compareCodePoints(left ?? '', right ?? '');
}

import { TreelineError } from '@treeline/contract';
import { parseQuery, type Aggregate, type Field, type Query, type Stage } from '@treeline/query';
import { columnName, Grouping, type TableRow } from './aggregate.ts';
import type { Database } from './driver.ts';
import { jsonValue, numberValue } from './field.ts';
import { MS_PER_MINUTE } from './ddl.ts';
import { checkQuery, type CheckedQuery, type LogQuery } from './log-query.ts';
import { aggregatePages, readPages } from './reading.ts';
import type { LogRow } from './row.ts';
import { sql, type Sql } from './sql.ts';
import { countSteps, type Deadline, type Dimension } from './stats.ts';
import { applyStage, stepOf, topRows } from './table-stages.ts';

/** A query with its stages, and conditions beside it. */
export interface TableQuery extends Omit<LogQuery, 'filter' | 'limit' | 'cursor' | 'order'> {
  /** In the query language: `level>=error | count by source`. */
  readonly query: string | Query;
}

/** What a query with stages answers. */
export interface Table extends ReadonlyArray<TableRow> {
  /** False where `timeoutMs` ended the work: what was not looked at is missing. */
  readonly complete: boolean;
  /** Set where only so many of the newest records were looked at, and there are more. */
  readonly newestOnly?: number;
  /** The records that the rows stand for, where the stages have only chosen and sorted them. */
  readonly records?: readonly LogRow[];
}

/** Records that are read at most where a query sorts or shows them; `limit` stages ask for fewer. */
const MAX_RECORDS = 100_000;

const DEFAULT_RECORDS = 1000;

/**
 * Answers a query with stages. Groups are counted window by window in SQL; the stages behind work on the table that comes out.
 *
 * @throws TreelineError `QUERY_INVALID` for what does not parse or has too many groups.
 */
export function readTable(db: Database, { query, ...conditions }: TableQuery): Table {
  const { filter, stages } = typeof query === 'string' ? parseQuery(query) : query;
  const checked = checkQuery({ ...conditions, filter });
  const deadlineMs = performance.now() + checked.timeoutMs;
  const work = new Work(db, checked, deadlineMs);
  const [first, ...others] = stages;
  const { rows, rest } =
    first && isGrouping(first) ? { rows: work.group(first), rest: others } : work.records(stages);
  const table = rest.reduce<TableRow[]>((before, stage) => {
    if (stage.kind !== 'context') return applyStage(before, stage);
    throw new TreelineError(
      'QUERY_INVALID',
      'context follows the condition; what stands before it has no neighbours',
    );
  }, rows);
  const records = stages.every(keepsRecords)
    ? { records: table.flatMap((row) => work.recordOf(row) ?? []) }
    : {};
  const newestOnly = work.newestOnly === undefined ? {} : { newestOnly: work.newestOnly };
  return Object.assign(table, { complete: work.complete, ...newestOnly, ...records });
}

function keepsRecords({ kind }: Stage): boolean {
  return kind === 'limit' || kind === 'sort' || kind === 'context';
}

type GroupingStage = Extract<Stage, { kind: 'count' | 'top' | 'hist' | 'stats' }>;

function isGrouping(stage: Stage): stage is GroupingStage {
  return stage.kind === 'count' || stage.kind === 'top' || stage.kind === 'hist' || stage.kind === 'stats';
}

class Work {
  readonly #db: Database;
  readonly #query: CheckedQuery;
  readonly #deadlineMs: number;
  readonly #records = new Map<TableRow, LogRow>();
  complete = true;
  newestOnly: number | undefined;

  constructor(db: Database, query: CheckedQuery, deadlineMs: number) {
    this.#db = db;
    this.#query = query;
    this.#deadlineMs = deadlineMs;
  }

  /** The table of a first stage that groups. */
  group(stage: GroupingStage): TableRow[] {
    switch (stage.kind) {
      case 'count':
        return this.#count(stage.by).rows();
      case 'top': {
        const rows = this.#count([stage.field]).rows();
        return topRows(
          rows.filter((row) => row[columnName(stage.field)] !== null),
          stage.limit,
        );
      }
      case 'hist':
        return this.#histogram(stage.stepMs, stage.by);
      default:
        return this.#aggregate(stage.aggregates, stage.by).rows();
    }
  }

  /** The record that a row of the table was made of. */
  recordOf(row: TableRow): LogRow | undefined {
    return this.#records.get(row);
  }

  /** The records of a query whose first stage does not group, as far as its stages ask for them, and the stages that are left. */
  records(stages: readonly Stage[]): { rows: TableRow[]; rest: readonly Stage[] } {
    const [first, ...others] = stages;
    if (first?.kind === 'context') {
      const found = this.#newestUpTo(DEFAULT_RECORDS);
      return { rows: this.#tableOf(this.#withNeighbours(found, first.before, first.after)), rest: others };
    }
    const found =
      first?.kind === 'limit'
        ? this.#newest(first.limit)
        : this.#newestUpTo(stages.some(needsAll) ? MAX_RECORDS : DEFAULT_RECORDS);
    return { rows: this.#tableOf(found), rest: stages };
  }

  /** A limit that nobody asked for is told of. */
  #newestUpTo(limit: number): LogRow[] {
    const rows = this.#newest(limit + 1);
    if (rows.length <= limit) return rows;
    this.newestOnly = limit;
    return rows.slice(0, limit);
  }

  #tableOf(rows: readonly LogRow[]): TableRow[] {
    return rows.map((row) => {
      const tableRow = toTableRow(row);
      this.#records.set(tableRow, row);
      return tableRow;
    });
  }

  #count(by: readonly Field[]): Grouping {
    const grouping = new Grouping(by.map(columnName), []);
    const dimension = rollupDimension(by);
    if (dimension) {
      if (by.length === 0) grouping.add([], 0);
      for (const step of this.#steps(MS_PER_MINUTE, dimension))
        grouping.add(by.length === 0 ? [] : [step.by], step.count);
      return grouping;
    }
    const columns = list([...by.map(jsonValue), sql('count(*)')]);
    const groupBy = by.length === 0 ? '' : `GROUP BY ${by.map((_, index) => index + 1).join(', ')}`;
    for (const rows of this.#pages<[...(string | null)[], number]>(columns, groupBy)) {
      for (const row of rows) {
        const count = Number(row.at(-1));
        // Without groups a window without rows still answers.
        if (count > 0 || by.length === 0) grouping.add(row.slice(0, -1).map(parseValue), count);
      }
    }
    return grouping;
  }

  #histogram(stepMs: number, by: readonly Field[]): TableRow[] {
    const grouping = new Grouping(['ts', ...by.map(columnName)], []);
    const dimension = rollupDimension(by);
    if (dimension) {
      for (const { ts, by: value, count } of this.#steps(stepMs, dimension)) {
        grouping.add(by.length === 0 ? [ts] : [ts, value], count);
      }
      return grouping.rows();
    }
    const step = sql('ts - ((ts % ?) + ?) % ?', stepMs, stepMs, stepMs);
    const columns = list([step, ...by.map(jsonValue), sql('count(*)')]);
    const groupBy = `GROUP BY ${[step, ...by].map((_, index) => index + 1).join(', ')}`;
    for (const rows of this.#pages<[number, ...(string | null)[], number]>(columns, groupBy)) {
      for (const row of rows) {
        grouping.add([stepOf(row[0], stepMs), ...row.slice(1, -1).map(parseValue)], Number(row.at(-1)));
      }
    }
    return grouping.rows().toSorted((a, b) => Number(a.ts) - Number(b.ts));
  }

  #aggregate(aggregates: readonly Aggregate[], by: readonly Field[]): Grouping {
    const grouping = new Grouping(by.map(columnName), aggregates);
    const values = aggregates.map(({ fn, field }) => {
      if (!field) return sql('NULL');
      return fn === 'count' ? jsonValue(field) : numberValue(field);
    });
    for (const rows of this.#pages<(string | number | null)[]>(list([...by.map(jsonValue), ...values]), '')) {
      for (const row of rows) {
        const counted = row
          .slice(by.length)
          .map((value, index) => (aggregates[index]?.fn === 'count' ? parseValue(value) : value));
        grouping.add(row.slice(0, by.length).map(parseValue), 1, counted);
      }
    }
    return grouping;
  }

  /** From the counts by minute where those can tell. */
  #steps(stepMs: number, { by }: RollupDimension): { ts: number; by: unknown; count: number }[] {
    const deadline: Deadline = { atMs: this.#deadlineMs, passed: false };
    const steps = countSteps(this.#db, this.#query, by ? { stepMs, by } : { stepMs }, deadline, true);
    if (deadline.passed) this.complete = false;
    // An empty source means none.
    return steps.map((step) => ({ ts: step.ts, by: step.by === '' ? null : step.by, count: step.count }));
  }

  *#pages<Row>(columns: Sql, groupBy: string): Generator<readonly Row[], void> {
    for (const page of aggregatePages<Row>(this.#db, this.#query, { columns, groupBy })) {
      yield page;
      if (performance.now() < this.#deadlineMs) continue;
      this.complete = false;
      return;
    }
  }

  #newest(limit: number): LogRow[] {
    const rows: LogRow[] = [];
    for (const page of readPages(this.#db, { ...this.#query, limit })) {
      rows.push(...page);
      if (performance.now() < this.#deadlineMs) continue;
      this.complete = false;
      break;
    }
    return rows;
  }

  /** Oldest first, each record once; neighbours are of the same source, whatever the condition says of them. */
  #withNeighbours(found: readonly LogRow[], before: number, after: number): LogRow[] {
    const byId = new Map(found.map((row) => [row.id, row]));
    for (const { source, cursor } of found) {
      for (const [order, limit] of [
        ['desc', before],
        ['asc', after],
      ] as const) {
        const neighbours = checkQuery({ source, cursor, order, limit });
        for (const page of readPages(this.#db, neighbours)) for (const row of page) byId.set(row.id, row);
      }
      if (performance.now() < this.#deadlineMs) continue;
      this.complete = false;
      break;
    }
    return [...byId.values()].toSorted((a, b) => a.ts - b.ts || a.id - b.id);
  }
}

interface RollupDimension {
  readonly by: Dimension | undefined;
}

/** What the counts by minute are apart by, where a query asks for nothing else. */
function rollupDimension(by: readonly Field[]): RollupDimension | undefined {
  const [first] = by;
  if (!first) return { by: undefined };
  if (by.length > 1 || first.kind !== 'column') return undefined;
  return first.name === 'level' || first.name === 'source' || first.name === 'type'
    ? { by: first.name }
    : undefined;
}

function needsAll(stage: Stage): boolean {
  return stage.kind === 'sort' || isGrouping(stage);
}

/** A record with its columns under the names that a query has for them. */
function toTableRow({ id, ts, level, source, type, refId, msg, traceId, spanId, payload }: LogRow): TableRow {
  const texts = { source: source === '' ? null : source, ref: refId, msg, trace: traceId, span: spanId };
  const present = Object.entries(texts).filter(([, value]) => value !== null);
  return { ...payload, id, time: ts, level, type, ...Object.fromEntries(present) };
}

function parseValue(json: unknown): unknown {
  return typeof json === 'string' ? (JSON.parse(json) as unknown) : json;
}

function list(columns: readonly Sql[]): Sql {
  return {
    text: columns.map(({ text }) => text).join(', '),
    params: columns.flatMap(({ params }) => params),
  };
}

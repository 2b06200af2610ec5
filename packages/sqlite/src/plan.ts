import { LEVELS } from '@treeline/contract';
import type { Place } from './cursor.ts';
import { MS_PER_HOUR } from './ddl.ts';
import type { Database } from './driver.ts';
import { lookUpText } from './full-text.ts';
import { indexedExpression, indexedFields, indexName } from './indexes.ts';
import type { CheckedQuery } from './log-query.ts';
import { allOf, sql, type Sql } from './sql.ts';

/** How a query is walked: along one index in the order of time, with what the index can't answer checked row by row. */
export interface Plan {
  /** Undefined where the rows are looked up by their ids. */
  readonly index: string | undefined;
  /** Set where the index leads with the hour: what its rows have in common. */
  readonly hourly: string | undefined;
  /** The index leads to so few rows that one statement may look at them all. */
  readonly isNarrow: boolean;
  /** Answered by the index. */
  readonly driving: readonly Sql[];
  /** Checked on each row that the index leads to. */
  readonly residual: readonly Sql[];
}

/** Part of a query's range, in its order: behind `after`, up to and with `end`. */
export interface Span {
  readonly after: Place | undefined;
  readonly end: Place | undefined;
}

/**
 * Chooses the index. It is named in the statements: the planner's choice can cost a factor of 1 500 (`level >= 50`, last 100, by an
 * index that leads with the level). An index of a single value is taken where it leads to less than `maxNarrowRows` rows.
 */
export function planOf(db: Database, query: CheckedQuery, maxNarrowRows: number = narrowRows(db)): Plan {
  const { source, type, refId, level, indexed, requiredText } = query;
  const rest = (...without: (keyof Conditions)[]): Sql[] =>
    Object.entries(columnConditions(query)).flatMap(([key, condition]) =>
      condition && !without.some((left) => left === key) ? [condition] : [],
    );
  if (refId !== undefined) {
    const driving = [sql('ref_id = ?', refId)];
    const hourly = 'ref_id IS NOT NULL';
    const plan = { index: 'logs_ref_id', hourly, isNarrow: true, driving, residual: rest('refId') };
    if (leadsToFew(db, plan, query, maxNarrowRows)) return plan;
  }
  if (indexed && indexedFields(db).includes(indexed.field)) {
    const expression = indexedExpression(indexed.field);
    const plan = {
      index: indexName(indexed.field),
      hourly: `${expression} IS NOT NULL`,
      isNarrow: true,
      driving: [sql(`${expression} = ?`, indexed.value)],
      residual: rest(),
    };
    if (leadsToFew(db, plan, query, maxNarrowRows)) return plan;
  }
  const lookup = requiredText === undefined ? undefined : lookUpText(db, requiredText);
  if (lookup) {
    const ids = sql(
      `id IN (SELECT rowid FROM logs_text WHERE logs_text MATCH ?
              UNION ALL SELECT id FROM logs NOT INDEXED WHERE id > ?)`,
      lookup.match,
      lookup.upto,
    );
    return { index: undefined, hourly: undefined, isNarrow: true, driving: [ids], residual: rest() };
  }
  if (source !== undefined && type !== undefined) {
    const driving = [sql('source = ? AND type = ?', source, type)];
    const residual = rest('source', 'type');
    return { index: 'logs_source_type', hourly: undefined, isNarrow: false, driving, residual };
  }
  if (source !== undefined && isRare(db, source)) {
    const driving = [sql('source = ?', source)];
    const residual = rest('source');
    return { index: 'logs_source_type', hourly: undefined, isNarrow: true, driving, residual };
  }
  if (level !== undefined && level >= LEVELS.error) {
    // The literal, since a partial index is used only where its condition stands in the query.
    const driving = [sql('level >= 50')];
    const residual = level === LEVELS.error ? rest('level') : rest();
    return { index: 'logs_errors', hourly: undefined, isNarrow: false, driving, residual };
  }
  return { index: 'logs_ts', hourly: undefined, isNarrow: false, driving: [], residual: rest() };
}

/** A source with fewer rows than this is looked up and sorted; others are met soon enough in the order of time. */
const RARE_ROWS = 5000;

function isRare(db: Database, source: string): boolean {
  const count = db
    .prepare<[string], number>(
      `SELECT count(*) FROM (SELECT 1 FROM logs INDEXED BY logs_source_type WHERE source = ? LIMIT ${RARE_ROWS})`,
    )
    .pluck()
    .get(source);
  return (count ?? 0) < RARE_ROWS;
}

/** What a statement may look up and sort: a hundredth of the rows, since the others are met sooner in the order of time. */
function narrowRows(db: Database): number {
  const rows = db.prepare<[], number>('SELECT coalesce(max(id) - min(id), 0) FROM logs').pluck().get() ?? 0;
  return Math.min(MAX_NARROW_ROWS, Math.max(RARE_ROWS, Math.ceil(rows / 100)));
}

/** Looked up in some 50 ms. */
const MAX_NARROW_ROWS = 20_000;

/** An index leads to the rows of a common value too: those are walked window by window, in the order of time. */
function leadsToFew(db: Database, plan: Plan, query: CheckedQuery, maxRows: number): boolean {
  if (maxRows === Infinity) return true;
  const span = { after: query.after, end: undefined };
  const hours = hoursOf(plan, query, span);
  const { text, params } = allOf([
    sql(plan.hourly ?? '1'),
    sql('ts / 3600000 = hour'),
    ...plan.driving,
    ...rangeOf(query, span),
  ]);
  const count = db
    .prepare<unknown[], number>(
      `SELECT count(*) FROM (${hours.text}
         SELECT 1 FROM hours CROSS JOIN logs ${indexedBy(plan)} WHERE ${text} LIMIT ${maxRows})`,
    )
    .pluck()
    .get(...hours.params, ...params);
  return (count ?? 0) < maxRows;
}

interface Conditions {
  readonly source: Sql | undefined;
  readonly type: Sql | undefined;
  readonly refId: Sql | undefined;
  readonly level: Sql | undefined;
  readonly filter: Sql | undefined;
}

function columnConditions({ source, type, refId, level, filter }: CheckedQuery): Conditions {
  return {
    source: source === undefined ? undefined : sql('source = ?', source),
    type: type === undefined ? undefined : sql('type = ?', type),
    refId: refId === undefined ? undefined : sql('ref_id = ?', refId),
    level: level === undefined ? undefined : sql('level >= ?', level),
    filter: filter?.condition,
  };
}

/** All conditions of a query, for a walk along no index. */
export function conditionsOf(query: CheckedQuery): Sql[] {
  const conditions = Object.values(columnConditions(query)).filter((condition) => condition !== undefined);
  return [...conditions, ...rangeOf(query, { after: undefined, end: undefined })];
}

/**
 * The conditions that hold a statement within the query's times and the span. One bound at each end, the tighter one: of two, SQLite
 * takes the first to begin its walk, and would walk over what the other leaves out.
 */
export function rangeOf(query: CheckedQuery, { after, end }: Span): Sql[] {
  const { sinceMs, untilMs, order } = query;
  const [low, high] = order === 'asc' ? [after, end] : [end, after];
  const isBehind = order === 'asc' ? '>' : '>=';
  const isBefore = order === 'asc' ? '<=' : '<';
  const conditions: Sql[] = [];
  if (low && low.ts >= (sinceMs ?? -Infinity)) {
    conditions.push(sql('ts >= ?', low.ts), sql(`(ts > ? OR id ${isBehind} ?)`, low.ts, low.id));
  } else if (sinceMs !== undefined) conditions.push(sql('ts >= ?', sinceMs));
  if (high && high.ts < (untilMs ?? Infinity)) {
    conditions.push(sql('ts <= ?', high.ts), sql(`(ts < ? OR id ${isBefore} ?)`, high.ts, high.id));
  } else if (untilMs !== undefined) conditions.push(sql('ts < ?', untilMs));
  return conditions;
}

/** Names the plan's index in a statement. */
export function indexedBy({ index }: Plan): string {
  return index === undefined ? 'NOT INDEXED' : `INDEXED BY ${index}`;
}

/**
 * Walks the hours that an hourly index has within the range. Each step is one look-up; a list of all hours between the oldest and
 * the newest would break on one row from 1970.
 */
export function hoursOf(plan: Plan, query: CheckedQuery, { after }: Span): Sql {
  const { sinceMs, untilMs, order } = query;
  const newest = Math.min(untilMs ?? Infinity, order === 'desc' && after ? after.ts : Infinity);
  const oldest = Math.max(sinceMs ?? -Infinity, order === 'asc' && after ? after.ts : -Infinity);
  const bounds = [
    ...(newest === Infinity ? [] : [sql('ts / 3600000 <= ?', Math.trunc(newest / MS_PER_HOUR))]),
    ...(oldest === -Infinity ? [] : [sql('ts / 3600000 >= ?', Math.trunc(oldest / MS_PER_HOUR))]),
  ];
  const next = (...below: Sql[]): string =>
    `SELECT ts / 3600000 FROM logs ${indexedBy(plan)}
     WHERE ${allOf([sql(plan.hourly ?? '1'), ...below, ...bounds]).text} ORDER BY ts / 3600000 DESC LIMIT 1`;
  const params = bounds.flatMap((bound) => bound.params);
  return {
    text: `WITH RECURSIVE hours (hour) AS (
      SELECT (${next()})
      UNION ALL
      SELECT (${next(sql('ts / 3600000 < hour'))}) FROM hours WHERE hour IS NOT NULL)`,
    params: [...params, ...params],
  };
}

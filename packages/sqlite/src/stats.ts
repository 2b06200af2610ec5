import { MS_PER_MINUTE } from './ddl.ts';
import type { Database } from './driver.ts';
import { jsonValue, numberValue, parseField } from './field.ts';
import type { CheckedQuery, LogQuery } from './log-query.ts';
import { percentileOf } from './percentile.ts';
import { aggregatePages, readPages } from './reading.ts';
import { allOf, sql, type Sql } from './sql.ts';

/** The columns that log_counts has. */
export type Dimension = 'level' | 'source' | 'type';

/** What to tell about the rows of a query, beside their number. */
export interface StatsQuery extends Omit<LogQuery, 'limit' | 'cursor' | 'order'> {
  /** Rows in each step of time, apart by a column where `by` is given. Steps begin at multiples of `stepMs` since 1970 (UTC). */
  readonly histogram?: { readonly stepMs: number; readonly by?: Dimension };
  /** The most frequent values of a field. @default limit 10 */
  readonly top?: { readonly field: string; readonly limit?: number };
  /** Percentiles of a field's numbers, by nearest rank: `[50, 95]`. */
  readonly percentiles?: { readonly field: string; readonly of: readonly number[] };
}

export interface Stats {
  readonly count: number;
  /** Rows by level number. */
  readonly levels: Readonly<Record<number, number>>;
  /** Absent where there are no rows. */
  readonly firstMs?: number;
  readonly lastMs?: number;
  readonly histogram?: readonly HistogramStep[];
  readonly top?: {
    readonly values: readonly { value: unknown; count: number }[];
    readonly uncounted: number;
  };
  /** By percentile; undefined where the field has no number. */
  readonly percentiles?: Readonly<Record<number, number | undefined>>;
  /** False where `timeoutMs` ended the work: what was not looked at is missing. */
  readonly complete: boolean;
}

export interface HistogramStep {
  /** The step's beginning, unix milliseconds. */
  readonly ts: number;
  /** The value of the `by` column. */
  readonly by?: string | number;
  readonly count: number;
}

/** Distinct values that are told apart by `top`; rows with others are counted as `uncounted`. */
const MAX_DISTINCT = 100_000;

/** Ends the work when the time is up; set once for all parts of an answer. */
export interface Deadline {
  readonly atMs: number;
  passed: boolean;
}

export function readStats(db: Database, query: CheckedQuery, wanted: StatsQuery): Stats {
  const deadline: Deadline = { atMs: performance.now() + query.timeoutMs, passed: false };
  const { histogram, top, percentiles } = wanted;
  const levels: Record<number, number> = {};
  let count = 0;
  const steps = histogram && countSteps(db, query, histogram, deadline);
  const byLevel =
    steps && histogram.by === 'level'
      ? steps
      : countSteps(db, query, { stepMs: MS_PER_MINUTE, by: 'level' }, deadline);
  for (const step of byLevel) {
    levels[Number(step.by)] = (levels[Number(step.by)] ?? 0) + step.count;
    count += step.count;
  }
  const range = count > 0 ? timeRange(db, query, deadline) : undefined;
  return {
    count,
    levels,
    ...(range ? { firstMs: range[0], lastMs: range[1] } : {}),
    ...(steps ? { histogram: steps } : {}),
    ...(top ? { top: topValues(db, query, top, deadline) } : {}),
    ...(percentiles ? { percentiles: readPercentiles(db, query, percentiles, deadline) } : {}),
    complete: !deadline.passed,
  };
}

/** The times of the first and the last row, each looked for from its end. */
function timeRange(db: Database, query: CheckedQuery, deadline: Deadline): [number, number] | undefined {
  const [firstMs, lastMs] = (['asc', 'desc'] as const).map((order) => {
    const pages = readPages(db, { ...query, order, limit: 1 });
    for (const [row] of until(deadline, pages)) if (row) return row.ts;
    return undefined;
  });
  return firstMs === undefined || lastMs === undefined ? undefined : [firstMs, lastMs];
}

/**
 * From the counts by minute where they can tell, else from the rows; the parts of minutes at both ends always from the rows. Where a
 * minute had too many combinations those are counted together as `*`, or from the rows where all are to be told apart.
 */
export function countSteps(
  db: Database,
  query: CheckedQuery,
  { stepMs, by }: NonNullable<StatsQuery['histogram']>,
  deadline: Deadline,
  tellsApart: boolean = false,
): HistogramStep[] {
  if (!(Number.isSafeInteger(stepMs) && stepMs > 0)) {
    throw new RangeError(`histogram.stepMs must be a whole number of milliseconds; got ${String(stepMs)}`);
  }
  const steps = new Map<string, { ts: number; by?: string | number; count: number }>();
  const add = (ms: number, value: string | number, count: number): void => {
    const ts = Math.floor(ms / stepMs) * stepMs;
    const key = `${ts} ${value}`;
    const step = steps.get(key);
    if (step) step.count += count;
    else steps.set(key, by ? { ts, by: value, count } : { ts, count });
  };
  const scan = (part: CheckedQuery): void => {
    // Floored as in JavaScript, also before 1970.
    const columns = sql(`ts - ((ts % ?) + ?) % ?, ${by ?? "''"}, count(*)`, stepMs, stepMs, stepMs);
    const pages = aggregatePages<[number, string | number, number]>(db, part, {
      columns,
      groupBy: 'GROUP BY 1, 2',
    });
    for (const rows of until(deadline, pages)) for (const row of rows) add(...row);
  };
  const minutes =
    stepMs % MS_PER_MINUTE === 0
      ? wholeMinutes(db, query, tellsApart && by !== 'level' && by !== undefined)
      : undefined;
  if (!minutes) scan(query);
  else {
    for (const [minute, value, count] of rollupCounts(db, query, minutes, by)) {
      add(minute * MS_PER_MINUTE, value, count);
    }
    const { from, to } = minutes;
    if (query.sinceMs !== undefined && query.sinceMs < from * MS_PER_MINUTE) {
      scan({ ...query, untilMs: Math.min(from * MS_PER_MINUTE, query.untilMs ?? Infinity) });
    }
    if (query.untilMs !== undefined && query.untilMs > to * MS_PER_MINUTE) {
      scan({ ...query, sinceMs: Math.max(to * MS_PER_MINUTE, query.sinceMs ?? -Infinity) });
    }
  }
  return [...steps.values()].toSorted((a, b) => a.ts - b.ts || (String(a.by) < String(b.by) ? -1 : 1));
}

interface Minutes {
  readonly from: number;
  readonly to: number;
}

/** The whole minutes of a query's range, where log_counts has the columns that it asks for. */
function wholeMinutes(db: Database, query: CheckedQuery, needsAll: boolean): Minutes | undefined {
  if (query.refId !== undefined || query.filter) return undefined;
  const from = query.sinceMs === undefined ? -Infinity : Math.ceil(query.sinceMs / MS_PER_MINUTE);
  const to = query.untilMs === undefined ? Infinity : Math.floor(query.untilMs / MS_PER_MINUTE);
  if (from >= to) return undefined;
  const minutes = {
    from: Math.max(from, Number.MIN_SAFE_INTEGER),
    to: Math.min(to, Number.MAX_SAFE_INTEGER),
  };
  const isComplete =
    (!needsAll && query.source === undefined && query.type === undefined) ||
    !db
      .prepare("SELECT 1 FROM log_counts WHERE minute >= ? AND minute < ? AND source = '*' LIMIT 1")
      .get(minutes.from, minutes.to);
  return isComplete ? minutes : undefined;
}

function rollupCounts(
  db: Database,
  { level, source, type }: CheckedQuery,
  { from, to }: Minutes,
  by: Dimension | undefined,
): [number, string | number, number][] {
  const conditions: Sql[] = [sql('minute >= ?', from), sql('minute < ?', to)];
  if (level !== undefined) conditions.push(sql('level >= ?', level));
  if (source !== undefined) conditions.push(sql('source = ?', source));
  if (type !== undefined) conditions.push(sql('type = ?', type));
  const { text, params } = allOf(conditions);
  return db
    .prepare<unknown[], [number, string | number, number]>(
      `SELECT minute, ${by ?? "''"}, sum(n) FROM log_counts WHERE ${text} GROUP BY 1, 2`,
    )
    .raw()
    .all(...params);
}

function topValues(
  db: Database,
  query: CheckedQuery,
  { field, limit = 10 }: NonNullable<StatsQuery['top']>,
  deadline: Deadline,
): NonNullable<Stats['top']> {
  const counts = new Map<string, number>();
  let uncounted = 0;
  const value = jsonValue(parseField(field));
  const columns = sql(`${value.text}, count(*)`, ...value.params);
  const pages = aggregatePages<[string | null, number]>(db, query, { columns, groupBy: 'GROUP BY 1' });
  for (const rows of until(deadline, pages)) {
    for (const [json, count] of rows) {
      if (json === null || json === 'null') continue;
      const before = counts.get(json);
      if (before === undefined && counts.size >= MAX_DISTINCT) uncounted += count;
      else counts.set(json, (before ?? 0) + count);
    }
  }
  const values = [...counts]
    .toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, limit)
    .map(([json, count]): { value: unknown; count: number } => ({ value: JSON.parse(json), count }));
  return { values, uncounted };
}

function readPercentiles(
  db: Database,
  query: CheckedQuery,
  { field, of }: NonNullable<StatsQuery['percentiles']>,
  deadline: Deadline,
): Record<number, number | undefined> {
  const numbers: number[] = [];
  const columns = numberValue(parseField(field));
  for (const rows of until(deadline, aggregatePages<[number | null]>(db, query, { columns }))) {
    for (const [number] of rows) if (number !== null) numbers.push(number);
  }
  const sorted = Float64Array.from(numbers).toSorted();
  const result: Record<number, number | undefined> = {};
  for (const rank of of) {
    if (!(rank > 0 && rank <= 100))
      throw new RangeError(`percentiles must be over 0 and up to 100; got ${rank}`);
    result[rank] = percentileOf(sorted, rank);
  }
  return result;
}

function* until<T>(deadline: Deadline, pages: Iterable<T>): Generator<T, void> {
  for (const page of pages) {
    yield page;
    if (performance.now() < deadline.atMs) continue;
    deadline.passed = true;
    return;
  }
}

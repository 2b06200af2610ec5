import type { Place } from './cursor.ts';
import { MS_PER_MINUTE } from './ddl.ts';
import type { Database } from './driver.ts';
import type { CheckedQuery } from './log-query.ts';
import { useTests } from './filter-tests.ts';
import { hoursOf, indexedBy, planOf, rangeOf, type Plan, type Span } from './plan.ts';
import { ROW_COLUMNS, toLogRow, type LogRow, type RawRow } from './row.ts';
import { allOf, sql, type Sql } from './sql.ts';

/** Rows that one statement gives back at most: each is a short read transaction of its own. */
const PAGE_ROWS = 1000;

/** Rows that one statement looks at, at most, where few of them match: some 50 ms. */
const MAX_WINDOW_ROWS = 50_000;

/** Gaps between ids (other sources, late rows) up to which reading by id range beats one look-up for each row. */
const MAX_IDS_PER_ROW = 4;

/** Walks a query's rows in short statements; between two of them no transaction is open. The first pages come early. */
export function* readPages(db: Database, query: CheckedQuery): Generator<readonly LogRow[], void> {
  const plan = planOf(db, query);
  // Where the index alone finds the rows, the limit bounds a statement.
  const isWindowed = plan.residual.length > 0 && !plan.isNarrow;
  let after = query.after;
  let left = query.limit;
  let windowRows = PAGE_ROWS;
  while (left > 0) {
    const end = isWindowed ? windowEnd(db, plan, query, after, windowRows) : undefined;
    const limit = Math.min(left, PAGE_ROWS);
    const rows = readRows(db, plan, query, { after, end }, limit);
    yield rows;
    left -= rows.length;
    const isFull = rows.length === limit;
    after = isFull ? rows.at(-1) : end;
    if (!after) return;
    if (rows.length === 0) after = nextPossible(db, query, after);
    if (!after) return;
    windowRows = isFull ? Math.max(PAGE_ROWS, windowRows >> 3) : Math.min(MAX_WINDOW_ROWS, windowRows * 4);
  }
}

/**
 * The place before the next minute that may have rows of the query, by the counts: a level or a source that is rare or not there at
 * all is not looked for row by row. Undefined where no minute is left.
 */
function nextPossible(db: Database, query: CheckedQuery, after: Place): Place | undefined {
  const { level, source, type, order } = query;
  const conditions = [
    ...(level === undefined ? [] : [sql('level >= ?', level)]),
    // What is counted together may be of any source and type.
    ...(source === undefined ? [] : [sql("source IN (?, '*')", source)]),
    ...(type === undefined ? [] : [sql("type IN (?, '*')", type)]),
  ];
  if (conditions.length === 0) return after;
  const minute = Math.floor(after.ts / MS_PER_MINUTE);
  const [comparison, direction] = order === 'asc' ? ['>=', ''] : ['<=', 'DESC'];
  const { text, params } = allOf([sql(`minute ${comparison} ?`, minute), ...conditions]);
  const next = db
    .prepare<unknown[], number>(
      `SELECT minute FROM log_counts WHERE ${text} ORDER BY minute ${direction} LIMIT 1`,
    )
    .pluck()
    .get(...params);
  if (next === undefined || next === minute) return next === undefined ? undefined : after;
  // Ids begin at 1: no row stands at 0.
  return { ts: (order === 'asc' ? next : next + 1) * MS_PER_MINUTE, id: 0 };
}

/** What each window of a query's rows gives back under an aggregate; windows bound each statement's time. */
export function* aggregatePages<Row>(
  db: Database,
  query: CheckedQuery,
  { columns, groupBy = '' }: { readonly columns: Sql; readonly groupBy?: string },
): Generator<readonly Row[], void> {
  const plan = planOf(db, query);
  let after = query.after;
  do {
    const end = plan.isNarrow ? undefined : windowEnd(db, plan, query, after, MAX_WINDOW_ROWS);
    const { text, params } = select(db, plan, query, { after, end }, columns);
    yield db
      .prepare<unknown[], Row>(`${text} ${groupBy}`)
      .raw()
      .all(...params);
    after = end;
  } while (after);
}

/** Counts a query's rows, and gives the count so far after each window. */
export function* countPages(db: Database, query: CheckedQuery): Generator<number, void> {
  // Counted in the index, also a common value's rows.
  const plan = planOf(db, query, Infinity);
  if (plan.residual.length === 0) {
    // Answered from the index alone: 60 ms for five million rows.
    const { text, params } = select(db, plan, query, { after: query.after, end: undefined }, sql('count(*)'));
    yield (
      db
        .prepare<unknown[], number>(text)
        .pluck()
        .get(...params) ?? 0
    );
    return;
  }
  let count = 0;
  for (const [row] of aggregatePages<[number]>(db, query, { columns: sql('count(*)') })) {
    count += row?.[0] ?? 0;
    yield count;
  }
}

/** The last row of the next window; undefined where the rest is smaller. */
function windowEnd(
  db: Database,
  plan: Plan,
  query: CheckedQuery,
  after: Place | undefined,
  rows: number,
): Place | undefined {
  const { text, params } = allOf([...plan.driving, ...rangeOf(query, { after, end: undefined })]);
  return db
    .prepare<unknown[], Place>(
      `SELECT ts, id FROM logs ${indexedBy(plan)} WHERE ${text} ${orderBy(query)} LIMIT 1 OFFSET ${rows - 1}`,
    )
    .get(...params);
}

function readRows(db: Database, plan: Plan, query: CheckedQuery, span: Span, limit: number): LogRow[] {
  const { text, params } = select(db, plan, query, span, sql(ROW_COLUMNS));
  return db
    .prepare<unknown[], RawRow>(`${text} ${orderBy(query)} LIMIT ${limit}`)
    .raw()
    .all(...params)
    .map(toLogRow);
}

function select(db: Database, plan: Plan, query: CheckedQuery, span: Span, columns: Sql): Sql {
  useTests(db, query.filter?.tests ?? []);
  const conditions = [...plan.driving, ...plan.residual, ...rangeOf(query, span)];
  if (plan.hourly) {
    const hours = hoursOf(plan, query, span);
    const { text, params } = allOf([sql(plan.hourly), sql('ts / 3600000 = hour'), ...conditions]);
    return {
      // CROSS JOIN keeps the order of the tables: the planner would scan the log instead.
      text: `${hours.text} SELECT ${columns.text} FROM hours CROSS JOIN logs ${indexedBy(plan)} WHERE ${text}`,
      params: [...hours.params, ...columns.params, ...params],
    };
  }
  const ids = plan.index === 'logs_ts' && plan.residual.length > 0 ? idsOf(db, query, span) : undefined;
  const { text, params } = allOf(ids ? [ids, ...conditions] : conditions);
  return {
    text: `SELECT ${columns.text} FROM logs ${ids ? 'NOT INDEXED' : indexedBy(plan)} WHERE ${text}`,
    params: [...columns.params, ...params],
  };
}

/**
 * The ids that the rows of a span have, where these stand close together, as they do where rows were written in the order of time:
 * reading a range of ids is twice as fast as a look-up for each row.
 */
function idsOf(db: Database, query: CheckedQuery, span: Span): Sql | undefined {
  const { text, params } = allOf(rangeOf(query, span));
  const row = db
    .prepare<unknown[], { first: number | null; last: number | null; count: number }>(
      `SELECT min(id) AS first, max(id) AS last, count(*) AS count FROM logs INDEXED BY logs_ts WHERE ${text}`,
    )
    .get(...params);
  if (!row || row.first === null || row.last === null) return undefined;
  if (row.last - row.first >= row.count * MAX_IDS_PER_ROW) return undefined;
  return sql('id BETWEEN ? AND ?', row.first, row.last);
}

function orderBy({ order }: CheckedQuery): string {
  return order === 'asc' ? 'ORDER BY ts, id' : 'ORDER BY ts DESC, id DESC';
}

import type { LogRecord } from '@treeline/contract';
import { compileFilter, parseQuery, type Field, type Filter, type RecordPredicate } from '@treeline/query';
import type { Place } from './cursor.ts';
import { checkQuery, type CheckedQuery, type LogQuery } from './log-query.ts';
import { readArchivedLine } from './archived-line.ts';
import { toLogRow, type LogRow } from './row.ts';

/** A query for rows that are in no database: the same question, asked of one row at a time. */
export interface RowTest extends Pick<
  CheckedQuery,
  'sinceMs' | 'untilMs' | 'level' | 'after' | 'order' | 'limit' | 'timeoutMs'
> {
  matches(row: LogRow): boolean;
  /** The row of an archived line where it matches. What its columns rule out is not parsed. */
  select(line: string): LogRow | undefined;
}

/** The key under which a record shows its row's id to a filter; not enumerable, so that `any:` does not see it. */
const ID_KEY = '\u0000id';

/**
 * Compiles a query into a test that holds for the same rows as the store's answer.
 *
 * @throws what `queryLogs` throws for wrong arguments.
 */
export function compileRowTest(query: LogQuery, nowMs: number = Date.now()): RowTest {
  const checked = checkQuery(query, nowMs);
  const { source, type, refId, level, sinceMs = -Infinity, untilMs = Infinity } = checked;
  const predicate = compileCondition(query, nowMs);
  const columnsMatch = (row: Pick<LogRow, 'ts' | 'level' | 'source' | 'type' | 'refId'>): boolean =>
    row.ts >= sinceMs &&
    row.ts < untilMs &&
    (level === undefined || row.level >= level) &&
    (source === undefined || row.source === source) &&
    (type === undefined || row.type === type) &&
    (refId === undefined || row.refId === refId);
  const matches = (row: LogRow): boolean => columnsMatch(row) && (!predicate || predicate(recordOfRow(row)));
  return {
    sinceMs: checked.sinceMs,
    untilMs: checked.untilMs,
    level,
    after: checked.after,
    order: checked.order,
    limit: checked.limit,
    timeoutMs: checked.timeoutMs,
    matches,
    select(line) {
      const raw = readArchivedLine(line);
      const [, rowSource, rowType, rowRefId, ts, rowLevel] = raw;
      if (!columnsMatch({ ts, level: rowLevel, source: rowSource, type: rowType, refId: rowRefId }))
        return undefined;
      const row = toLogRow(raw);
      return matches(row) ? row : undefined;
    },
  };
}

/** Rows in the order of a query: by time, then id. */
export function compareRows(a: Place, b: Place, order: 'asc' | 'desc'): number {
  const difference = a.ts - b.ts || a.id - b.id;
  return order === 'asc' ? difference : -difference;
}

function compileCondition({ filter, text, utc }: LogQuery, nowMs: number): RecordPredicate | undefined {
  const asked = typeof filter === 'string' ? parseQuery(filter).filter : filter;
  const items: Filter[] = [
    ...(text === undefined ? [] : [{ kind: 'text', scope: 'msg', text } as const]),
    ...(asked ? [withIdKey(asked)] : []),
  ];
  return items.length === 0 ? undefined : compileFilter({ kind: 'and', items }, { nowMs, utc: utc === true });
}

/** A row's time is that of its arrival where the record has none. */
function recordOfRow({ id, ts, record }: LogRow): LogRecord {
  const asked = record.time === ts ? record : { ...record, time: ts };
  return Object.defineProperty(asked, ID_KEY, { value: id, enumerable: false, configurable: true });
}

/** The predicate knows no ids: only a store numbers its records. */
function withIdKey(filter: Filter): Filter {
  if (filter.kind === 'and' || filter.kind === 'or') return { ...filter, items: filter.items.map(withIdKey) };
  if (filter.kind === 'not') return { ...filter, item: withIdKey(filter.item) };
  return 'field' in filter && isId(filter.field)
    ? { ...filter, field: { kind: 'path', segments: [ID_KEY] } }
    : filter;
}

function isId(field: Field): boolean {
  return field.kind === 'column' && field.name === 'id';
}

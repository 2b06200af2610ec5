import { parseLevel, TreelineError, type LevelName } from '@treeline/contract';
import { parseQuery, resolveTime, type Filter, type TimeOptions } from '@treeline/query';
import { parseCursor, type Place } from './cursor.ts';
import { compileFilterSql, type CompiledFilter } from './filter-sql.ts';
import { narrow, requiredText, type Narrowed } from './narrow.ts';

/** What is asked of a store; all conditions must hold. */
export interface LogQuery {
  readonly source?: string | undefined;
  readonly type?: string | undefined;
  readonly refId?: string | undefined;
  /** The least level. */
  readonly level?: LevelName | number | undefined;
  /** Inclusive; unix milliseconds, a Date, or a text as in the query language (`90m`, `yesterday`, `2026-03-04T22`). */
  readonly since?: number | Date | string | undefined;
  /** Exclusive. */
  readonly until?: number | Date | string | undefined;
  /** A text that `msg` contains; ASCII letters in either case. */
  readonly text?: string | undefined;
  /** A condition in the query language, as text or as its tree. */
  readonly filter?: string | Filter | undefined;
  /** Reads times without a zone as UTC instead of the local zone. */
  readonly utc?: boolean | undefined;
  /** @default 1000 */
  readonly limit?: number | undefined;
  /** Goes on behind the row that had this cursor. */
  readonly cursor?: string | undefined;
  /** By time: newest first, or oldest first with `asc`. */
  readonly order?: 'asc' | 'desc' | undefined;
  /** After this time what was found so far is the answer, and `rows.complete` is false. Without it there is no limit. */
  readonly timeoutMs?: number | undefined;
}

/** A query with its arguments checked. */
export interface CheckedQuery {
  readonly source: string | undefined;
  readonly type: string | undefined;
  readonly refId: string | undefined;
  readonly level: number | undefined;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
  /** What is checked row by row: the rest of the filter, and `text`. */
  readonly filter: CompiledFilter | undefined;
  /** An equality of the filter with a field that may have an index of its own. */
  readonly indexed: Narrowed['indexed'];
  /** A text that `msg` must contain, for a full-text index. */
  readonly requiredText: string | undefined;
  readonly limit: number;
  readonly after: Place | undefined;
  readonly order: 'asc' | 'desc';
  readonly timeoutMs: number;
}

const DEFAULT_LIMIT = 1000;

/**
 * Checks a query's arguments.
 *
 * @throws TypeError, RangeError for wrong ones; TreelineError `QUERY_INVALID` for a broken cursor.
 */
export function checkQuery(query: LogQuery, nowMs: number = Date.now()): CheckedQuery {
  const { order = 'desc', limit = DEFAULT_LIMIT, timeoutMs = Infinity } = query;
  if (order !== 'asc' && order !== 'desc') {
    throw new RangeError(`order must be "asc" or "desc"; got ${JSON.stringify(order)}`);
  }
  if (limit !== Infinity && !(Number.isSafeInteger(limit) && limit >= 0)) {
    throw new RangeError(`limit must be a whole number from 0, or Infinity; got ${String(limit)}`);
  }
  if (!(timeoutMs >= 0)) throw new RangeError(`timeoutMs must be 0 or more; got ${String(timeoutMs)}`);
  const times: TimeOptions = { nowMs, utc: query.utc === true };
  const asked = parseCondition(query.filter);
  const narrowed: Narrowed = asked ? narrow(asked, times) : { rest: undefined };
  const source = textOf('source', query.source);
  const type = textOf('type', query.type);
  const refId = textOf('refId', query.refId);
  // A second, different value for a column leaves nothing to find: the filter is then checked whole.
  const isCovered =
    (source === undefined || narrowed.source === undefined || source === narrowed.source) &&
    (type === undefined || narrowed.type === undefined || type === narrowed.type) &&
    (refId === undefined || narrowed.refId === undefined || refId === narrowed.refId);
  const rest = isCovered ? narrowed.rest : asked;
  const text = textOf('text', query.text);
  const conditions: Filter[] = [
    ...(text === undefined ? [] : [{ kind: 'text', scope: 'msg', text } as const]),
    ...(rest ? [rest] : []),
  ];
  const [first] = conditions;
  const checked: Filter | undefined = conditions.length > 1 ? { kind: 'and', items: conditions } : first;
  return {
    source: source ?? narrowed.source,
    type: type ?? narrowed.type,
    refId: refId ?? narrowed.refId,
    level: highest(levelOf(query.level), narrowed.level),
    sinceMs: highest(timeOf('since', query.since, times), narrowed.sinceMs),
    untilMs: lowest(timeOf('until', query.until, times), narrowed.untilMs),
    filter: checked && compileFilterSql(checked, times),
    indexed: narrowed.indexed,
    requiredText: requiredText(checked),
    limit,
    after: query.cursor === undefined ? undefined : parseCursor(query.cursor),
    order,
    timeoutMs,
  };
}

function parseCondition(filter: string | Filter | undefined): Filter | undefined {
  if (typeof filter !== 'string') return filter;
  const query = parseQuery(filter);
  if (query.stages.length > 0) {
    throw new TreelineError('QUERY_INVALID', 'filter must be a condition; remove the "|" and what follows');
  }
  return query.filter;
}

function highest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}

function lowest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function textOf(name: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new TypeError(`${name} must be a string; got ${JSON.stringify(value)}`);
}

function levelOf(level: unknown): number | undefined {
  if (level === undefined || (typeof level === 'number' && !Number.isNaN(level))) return level;
  if (typeof level === 'string') return parseLevel(level);
  throw new TypeError(`level must be a name or a number; got ${JSON.stringify(level)}`);
}

function timeOf(
  name: string,
  value: number | Date | string | undefined,
  times: TimeOptions,
): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string') {
    const span = resolveTime(value, times);
    if (span) return span.startMs;
    throw new TreelineError(
      'QUERY_INVALID',
      `${name} must be a time (90m, yesterday, 2026-03-04T22); got ${JSON.stringify(value)}`,
    );
  }
  const ms = Number(value);
  if (!Number.isNaN(ms)) return ms;
  throw new TypeError(`${name} must be a valid time; got ${String(value)}`);
}

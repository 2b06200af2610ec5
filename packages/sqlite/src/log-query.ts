import { parseLevel, TreelineError, type LevelName } from '@treeline/contract';
import { parseCursor, type Place } from './cursor.ts';

/** What is asked of a store; all conditions must hold. */
export interface LogQuery {
  readonly source?: string | undefined;
  readonly type?: string | undefined;
  readonly refId?: string | undefined;
  /** The least level. */
  readonly level?: LevelName | number | undefined;
  /** Inclusive; unix milliseconds, a Date, or a text that names a time. */
  readonly since?: number | Date | string | undefined;
  /** Exclusive. */
  readonly until?: number | Date | string | undefined;
  /** A text that `msg` contains; ASCII letters in either case. */
  readonly text?: string | undefined;
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
  readonly text: string | undefined;
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
  return {
    source: textOf('source', query.source),
    type: textOf('type', query.type),
    refId: textOf('refId', query.refId),
    level: typeof query.level === 'string' ? parseLevel(query.level) : numberOf('level', query.level),
    sinceMs: timeOf('since', query.since, nowMs),
    untilMs: timeOf('until', query.until, nowMs),
    text: textOf('text', query.text),
    limit,
    after: query.cursor === undefined ? undefined : parseCursor(query.cursor),
    order,
    timeoutMs,
  };
}

function textOf(name: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new TypeError(`${name} must be a string; got ${JSON.stringify(value)}`);
}

function numberOf(name: string, value: unknown): number | undefined {
  if (value === undefined || (typeof value === 'number' && !Number.isNaN(value))) return value;
  throw new TypeError(`${name} must be a number; got ${JSON.stringify(value)}`);
}

function timeOf(name: string, value: number | Date | string | undefined, _nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = typeof value === 'string' ? Date.parse(value) : Number(value);
  if (!Number.isNaN(ms)) return ms;
  if (typeof value !== 'string') throw new TypeError(`${name} must be a valid time; got ${String(value)}`);
  throw new TreelineError('QUERY_INVALID', `${name} must be a time; got ${JSON.stringify(value)}`);
}

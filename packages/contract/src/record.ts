import { DEFAULT_LEVEL } from './level.ts';

/** One log record as pino writes it: a JSON object on a line of its own. */
export interface LogRecord {
  /** pino's number: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal. */
  level: number;
  /** Unix milliseconds; absent where the logger writes no time. Foreign input may hold an ISO string. */
  time?: number | string;
  msg?: string;
  /** The logger or module, dotted (`http.client`). */
  name?: string;
  [key: string]: unknown;
}

/** The record that stands for a line that is not a JSON object: its text is the message, nothing is lost. */
export function textRecord(text: string): LogRecord {
  return { level: DEFAULT_LEVEL, msg: text };
}

/** Parses one line; what is not a JSON object becomes a text record. */
export function parseLine(text: string): LogRecord {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as LogRecord;
  } catch {
    // Not JSON: kept as text.
  }
  return textRecord(text.endsWith('\r') ? text.slice(0, -1) : text);
}

/**
 * Reads a record's `time` as unix milliseconds, or undefined where it has none. Numbers below 1e11 are seconds, from 1e14
 * microseconds, from 1e17 nanoseconds; strings are ISO dates.
 */
export function readTimeMs(value: unknown): number | undefined {
  if (typeof value === 'string') {
    const ms = Date.parse(value);
    return Number.isNaN(ms) ? undefined : ms;
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  const size = Math.abs(value);
  if (size >= 1e17) return Math.round(value / 1e6);
  if (size >= 1e14) return Math.round(value / 1e3);
  return size < 1e11 ? value * 1000 : value;
}

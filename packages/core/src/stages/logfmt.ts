import { formatLevel, readTimeMs, type LogRecord } from '@treeline/contract';

/** Deeper values are written as JSON in quotes. */
const MAX_DEPTH = 6;

/** Keys that stand first, in this order, under these names. */
const FIRST = ['time', 'level', 'name', 'msg'];

/** A record as logfmt: `key=value` with spaces between, nested keys with dots, as https://pkg.go.dev/github.com/go-logfmt/logfmt reads it. */
export function toLogfmt(record: LogRecord): string {
  const pairs: string[] = [];
  const timeMs = readTimeMs(record.time);
  if (timeMs !== undefined) pairs.push(`time=${isoTime(timeMs)}`);
  pairs.push(`level=${formatLevel(record.level)}`);
  if (record.name !== undefined) addPair(pairs, 'name', record.name, 1);
  if (record.msg !== undefined) addPair(pairs, 'msg', record.msg, 1);
  for (const [key, value] of Object.entries(record)) if (!FIRST.includes(key)) addPair(pairs, key, value, 1);
  return pairs.join(' ');
}

/** An ISO time; numbers that are none stay numbers. */
export function isoTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}

function addPair(pairs: string[], key: string, value: unknown, depth: number): void {
  if (isObject(value) && depth < MAX_DEPTH && Object.keys(value).length > 0) {
    for (const [inner, nested] of Object.entries(value)) addPair(pairs, `${key}.${inner}`, nested, depth + 1);
  } else pairs.push(`${formatKey(key)}=${formatValue(value)}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key has no quotes: what would end it is replaced. */
function formatKey(key: string): string {
  return key.replace(/[\s="\p{Cc}]/gu, '_') || '_';
}

function formatValue(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return /^[^\s="\\\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}

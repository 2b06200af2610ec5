import { isUtf8 } from 'node:buffer';
import { readPrefix, textRecord, type LogRecord } from '@treeline/contract';
import { flattenBelow, shapeOf } from './line-shape.ts';

/** A record and the JSON text that stands for it in the store. */
export interface Payload {
  readonly record: LogRecord;
  readonly json: Buffer | string;
  readonly mended: 'duplicate_keys' | 'deep_nesting' | undefined;
}

/** SQLite's JSON functions end at 1 000 (https://sqlite.org/limits.html); a path into the record needs room of its own. */
const MAX_DEPTH = 500;

/**
 * Reads a line. Its text is kept where SQLite reads it as JavaScript does. Mended are keys that stand twice (SQLite takes the first,
 * JavaScript the last) and nesting that SQLite can't read, which would fail every query over the row. A line that is not a JSON
 * object becomes the record that stands for it.
 *
 * It parses each line itself: the records that a batch keeps for all sinks would outlive the collector's young generation.
 */
export function payloadOf(line: Buffer): Payload {
  const text = line.toString();
  const parsed = parseObject(text);
  if (!parsed) return payloadOfText(line, text);
  const { keys, depth } = shapeOf(line);
  if (depth > MAX_DEPTH) {
    const flattened = parseObject(flattenBelow(text, MAX_DEPTH)) ?? parsed;
    return mended(line, flattened, 'deep_nesting');
  }
  if (keys !== countKeys(parsed)) return mended(line, parsed, 'duplicate_keys');
  return { record: parsed, json: isUtf8(line) ? line : text, mended: undefined };
}

function payloadOfText(line: Buffer, text: string): Payload {
  const record = textRecord(text.endsWith('\r') ? text.slice(0, -1) : text);
  record.level = readPrefix(line, 0)?.level ?? record.level;
  return { record, json: JSON.stringify(record), mended: undefined };
}

/** The last of two keys is the one that JavaScript reads, but for level and time it is the line's own prefix. */
function mended(line: Buffer, record: LogRecord, kind: NonNullable<Payload['mended']>): Payload {
  const prefix = readPrefix(line, 0);
  if (prefix) record.level = prefix.level;
  if (prefix?.time !== undefined) record.time = prefix.time;
  return { record, json: formatJson(record), mended: kind };
}

function parseObject(text: string): LogRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as LogRecord)
      : undefined;
  } catch {
    return undefined;
  }
}

function countKeys(value: unknown): number {
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && item !== null) count += countKeys(item);
  } else {
    const object = value as Record<string, unknown>;
    for (const key in object) {
      count++;
      const item = object[key];
      if (typeof item === 'object' && item !== null) count += countKeys(item);
    }
  }
  return count;
}

/** JSON.stringify for what JSON.parse made, but numbers beyond doubles (`1e400`) and -0 stay what they are. */
function formatJson(value: unknown): string {
  if (typeof value === 'number') {
    if (Object.is(value, -0)) return '-0';
    if (!Number.isFinite(value)) return value > 0 ? '1e999' : '-1e999';
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(formatJson).join(',')}]`;
  const members = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${formatJson(item)}`);
  return `{${members.join(',')}}`;
}

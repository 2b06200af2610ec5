import { isUtf8 } from 'node:buffer';
import type { LogRecord } from '@treeline/contract';
import { flattenBelow, shapeOf } from './line-shape.ts';

/** A record and the JSON text that stands for it in the store. */
export interface Payload {
  readonly record: LogRecord;
  readonly json: Buffer | string;
  readonly mended: 'duplicate_keys' | 'deep_nesting' | undefined;
}

/** SQLite's JSON functions end at 1 000 (https://sqlite.org/limits.html); a path into the record needs room of its own. */
const MAX_DEPTH = 500;

const LEVEL_PREFIX = Buffer.from('{"level":');

/**
 * The line as it was logged, where SQLite reads it as JavaScript does. Mended are keys that stand twice (SQLite takes the first,
 * JavaScript the last) and nesting that SQLite can't read, which would fail every query over the row. `record` is the line parsed,
 * with the level and time of its prefix.
 */
export function payloadOf(line: Buffer, record: LogRecord): Payload {
  const shape = shapeOf(line);
  if (shape.depth > MAX_DEPTH) return payloadOfDeepLine(line, record);
  // Without the prefix the level may have been added to the record, and the keys can't be compared.
  if (!hasLevelPrefix(line)) return payloadOfForeignLine(line, record);
  if (isTextRecord(record, line)) return { record, json: formatJson(record), mended: undefined };
  if (shape.keys !== countKeys(record)) return { record, json: formatJson(record), mended: 'duplicate_keys' };
  return { record, json: asText(line), mended: undefined };
}

function payloadOfForeignLine(line: Buffer, record: LogRecord): Payload {
  const parsed = parseObject(line.toString());
  if (!parsed) return { record, json: formatJson(record), mended: undefined };
  if (shapeOf(line).keys !== countKeys(parsed)) {
    return { record, json: formatJson(parsed), mended: 'duplicate_keys' };
  }
  return { record, json: asText(line), mended: undefined };
}

function payloadOfDeepLine(line: Buffer, record: LogRecord): Payload {
  const text = line.toString();
  if (!parseObject(text)) return { record, json: formatJson(record), mended: undefined };
  const flattened = parseObject(flattenBelow(text, MAX_DEPTH)) ?? record;
  const mended = { ...flattened, level: record.level };
  if (record.time !== undefined) Object.assign(mended, { time: record.time });
  return { record: mended, json: formatJson(mended), mended: 'deep_nesting' };
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

function asText(line: Buffer): Buffer | string {
  return isUtf8(line) ? line : line.toString();
}

function hasLevelPrefix(line: Buffer): boolean {
  return LEVEL_PREFIX.equals(line.subarray(0, LEVEL_PREFIX.length));
}

/** A message as long as its line was not quoted in it: the line is no JSON, and its text became the message. */
function isTextRecord(record: LogRecord, line: Buffer): boolean {
  const { msg } = record;
  return (
    typeof msg === 'string' && msg.length * 3 >= line.length - 1 && msg.length >= line.toString().length - 1
  );
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

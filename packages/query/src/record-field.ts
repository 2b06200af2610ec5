import { DEFAULT_LEVEL, readLevel, readTimeMs, type LogRecord } from '@treeline/contract';
import type { ColumnName, Field, Segment } from './ast.ts';

/** Asks whether one of the values that a field has in a record passes a test; values that are absent are not offered. */
export type FieldReader = (record: LogRecord, test: (value: unknown) => boolean) => boolean;

/** Turns a field into what reads it. */
export function fieldReader(field: Field): FieldReader {
  if (field.kind === 'column') {
    const read = COLUMN_READERS[field.name];
    return (record, test) => {
      const value = read(record);
      return value !== undefined && test(value);
    };
  }
  const { segments } = field;
  return (record, test) => some(record, segments, 0, test);
}

const COLUMN_READERS: Readonly<Record<ColumnName, (record: LogRecord) => string | number | undefined>> = {
  // Whole numbers, as a store keeps them.
  level: (record) => clampInteger(readLevel(record.level) ?? DEFAULT_LEVEL),
  time: (record) => readWholeMs(record.time),
  msg: (record) => (typeof record.msg === 'string' ? record.msg : undefined),
  source: (record) =>
    textOf(record['source']) ?? textOf(record.name) ?? textOf(record['service']) ?? textOf(record['app']),
  type: (record) => textOf(record['type']) ?? 'log',
  ref: (record) => refOf(record['ref_id']) ?? refOf(record['refId']),
  trace: (record) => textOf(record['trace_id']),
  span: (record) => textOf(record['span_id']),
  // Only a store numbers its records.
  id: () => undefined,
};

function clampInteger(value: number): number {
  return Math.trunc(Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, value)));
}

/** Dates end here (ECMA-262, 21.4.1.1); a time beyond is none. */
const MAX_TIME_MS = 8.64e15;

function readWholeMs(time: unknown): number | undefined {
  const ms = readTimeMs(time);
  return ms === undefined || Math.abs(ms) > MAX_TIME_MS ? undefined : Math.floor(ms);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function refOf(value: unknown): string | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : textOf(value);
}

function some(
  value: unknown,
  segments: readonly Segment[],
  at: number,
  test: (value: unknown) => boolean,
): boolean {
  if (value === undefined || value === null) return false;
  const segment = segments[at];
  if (segment === undefined) return test(value);
  if (typeof segment === 'object') {
    return Array.isArray(value) && value.some((item) => some(item, segments, at + 1, test));
  }
  if (typeof value !== 'object') return false;
  const isIndex = typeof segment === 'number';
  if (isIndex !== Array.isArray(value) || !Object.hasOwn(value, segment)) return false;
  return some((value as Record<string | number, unknown>)[segment], segments, at + 1, test);
}

import { DEFAULT_LEVEL, readLevel, readTimeMs, type LogRecord } from '@treeline/contract';

/** What a row keeps of its record beside the record itself. */
export interface Columns {
  readonly source: string;
  readonly type: string;
  readonly refId: string | null;
  /** Unix milliseconds. */
  readonly ts: number;
  readonly level: number;
  readonly msg: string | null;
  readonly traceId: string | null;
  readonly spanId: string | null;
  readonly parentSpanId: string | null;
}

/** The columns of a row behind its id, in the order in which rows are written and read; the record comes last. */
export const COLUMN_NAMES = [
  'source',
  'type',
  'ref_id',
  'ts',
  'level',
  'msg',
  'trace_id',
  'span_id',
  'parent_span_id',
  'payload',
] as const;

/** The values of these columns but for the record. */
export type ColumnValues = [
  source: string,
  type: string,
  refId: string | null,
  ts: number,
  level: number,
  msg: string | null,
  traceId: string | null,
  spanId: string | null,
  parentSpanId: string | null,
];

/** Where the record does not say who speaks: no record has an empty source itself. */
export const NO_SOURCE = '';

/** Dates end here (ECMA-262, 21.4.1.1); a time beyond is none. */
const MAX_TIME_MS = 8.64e15;

/** Derives a row's columns from its record; a record without a time gets `arrivalMs`. */
export function deriveColumns(record: LogRecord, arrivalMs: number): Columns {
  return {
    source: text(record.source) ?? text(record.name) ?? text(record.service) ?? text(record.app) ?? NO_SOURCE,
    type: text(record.type) ?? 'log',
    refId: refOf(record.ref_id) ?? refOf(record.refId) ?? null,
    ts: readTs(record.time) ?? arrivalMs,
    level: clampInteger(readLevel(record.level) ?? DEFAULT_LEVEL),
    msg: typeof record.msg === 'string' ? record.msg : null,
    traceId: text(record.trace_id) ?? null,
    spanId: text(record.span_id) ?? null,
    parentSpanId: text(record.parent_span_id) ?? null,
  };
}

/** The record without the keys that have columns. */
export function withoutColumns(record: LogRecord): Record<string, unknown> {
  const payload: Record<string, unknown> = { ...record };
  delete payload.level;
  if (readTs(record.time) !== undefined) delete payload.time;
  if (typeof record.msg === 'string') delete payload.msg;
  for (const key of ['source', 'type', 'trace_id', 'span_id', 'parent_span_id']) {
    if (text(record[key]) !== undefined) delete payload[key];
  }
  if (refOf(record.ref_id) !== undefined) delete payload.ref_id;
  else if (refOf(record.refId) !== undefined) delete payload.refId;
  return payload;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function refOf(value: unknown): string | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : text(value);
}

/** A record's time as a row keeps it. */
export function readTs(time: unknown): number | undefined {
  const ms = readTimeMs(time);
  return ms === undefined || Math.abs(ms) > MAX_TIME_MS ? undefined : Math.floor(ms);
}

function clampInteger(value: number): number {
  return Math.trunc(Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, value)));
}

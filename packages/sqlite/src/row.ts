import { parseLine, type LogRecord } from '@treeline/contract';
import { COLUMN_NAMES, withoutColumns, type ColumnValues } from './columns.ts';
import { formatCursor } from './cursor.ts';

/** A row of the log, with its record. */
export interface LogRow {
  readonly id: number;
  /** Where a next call goes on behind this row. */
  readonly cursor: string;
  /** Unix milliseconds. */
  readonly ts: number;
  readonly source: string;
  readonly type: string;
  readonly refId: string | null;
  readonly level: number;
  readonly msg: string | null;
  readonly traceId: string | null;
  readonly spanId: string | null;
  readonly parentSpanId: string | null;
  /** The record without the keys that have columns. */
  readonly payload: Readonly<Record<string, unknown>>;
  /** The record as it was logged. */
  readonly record: LogRecord;
  /** The record's JSON text, without a line feed. */
  readonly line: string;
}

/** A row as it comes from SQLite, in the order of `ROW_COLUMNS`. */
export type RawRow = [id: number, ...ColumnValues, payload: string];

export const ROW_COLUMNS: string = ['id', ...COLUMN_NAMES].join(', ');

export function toLogRow(raw: RawRow): LogRow {
  const [id, source, type, refId, ts, level, msg, traceId, spanId, parentSpanId, line] = raw;
  // Another program may have written what is no JSON.
  const record = parseLine(line);
  return {
    id,
    cursor: formatCursor({ ts, id }),
    ts,
    source,
    type,
    refId,
    level,
    msg,
    traceId,
    spanId,
    parentSpanId,
    payload: withoutColumns(record),
    record,
    line,
  };
}

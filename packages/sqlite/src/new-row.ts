import { deriveColumns, type Columns } from './columns.ts';
import { payloadOf, type Payload } from './payload.ts';
import { scanLine } from './scan-line.ts';

/** What is inserted for a line. */
export interface NewRow {
  readonly columns: Columns;
  /** JSON text. */
  readonly payload: Buffer | string;
  readonly mended: Payload['mended'];
}

/** Reads a line; one without a time gets `arrivalMs`. */
export function rowOfLine(line: Buffer, arrivalMs: number): NewRow {
  const scanned = scanLine(line, arrivalMs);
  if (scanned) return { columns: scanned, payload: line, mended: undefined };
  const { record, json, mended } = payloadOf(line);
  return { columns: deriveColumns(record, arrivalMs), payload: json, mended };
}

import { readTimeMs, type Batch, type LogRecord, type LogRequest } from '@treeline/contract';
import { compileFilter, parseFilter } from '@treeline/query';
import type { UnsortedRow } from './merge.ts';

/** What is asked of log files, beyond what any log source can be asked. */
export interface FileRequest extends LogRequest {
  /** A condition that is no text. */
  readonly matches?: (record: LogRecord) => boolean;
  /** Goes on behind the row that had this cursor. */
  readonly cursor?: string | undefined;
  /** Ends the search; what was found by then has been given. */
  readonly signal?: AbortSignal | undefined;
}

/** Whether a record is wanted; `timeMs` is NaN where it has no time. */
export type Accepts = (record: LogRecord, timeMs: number) => boolean;

/** Checks all conditions of a request. */
export function createPredicate(request: FileRequest): Accepts {
  const { source, type, refId, level, sinceMs, untilMs, filter, matches } = request;
  const meets = filter === undefined ? undefined : compileFilter(parseFilter(filter), { nowMs: Date.now() });
  return (record, timeMs) =>
    (level === undefined || record.level >= level) &&
    (sinceMs === undefined || timeMs >= sinceMs) &&
    (untilMs === undefined || timeMs < untilMs) &&
    (source === undefined || sourceOf(record) === source) &&
    (type === undefined || (textOf(record['type']) ?? 'log') === type) &&
    (refId === undefined || refOf(record) === refId) &&
    (meets === undefined || meets(record)) &&
    (matches === undefined || matches(record));
}

function sourceOf(record: LogRecord): string | undefined {
  return (
    textOf(record['source']) ?? textOf(record.name) ?? textOf(record['service']) ?? textOf(record['app'])
  );
}

function refOf(record: LogRecord): string | undefined {
  const ref = record['ref_id'] ?? record['refId'];
  return typeof ref === 'number' ? String(ref) : textOf(ref);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The rows of a batch that are wanted. */
export function* acceptedRows(
  batch: Batch,
  log: string,
  level: number,
  accepts: Accepts,
): Generator<UnsortedRow> {
  for (let index = 0; index < batch.count; index++) {
    // A line's level is known without parsing it; over 255 it is not exact.
    const lineLevel = batch.levels[index] ?? 0;
    if (lineLevel < level && lineLevel < 255) continue;
    const record = batch.record(index);
    const timeMs = readTimeMs(record.time) ?? Number.NaN;
    if (accepts(record, timeMs)) yield { log, record, timeMs, line: batch.line(index).toString() };
  }
}

import { createHash } from 'node:crypto';
import { TreelineError, type LogRecord } from '@treeline/contract';

/** A record of a log file, with the line that it stands in. */
export interface FileRow {
  readonly record: LogRecord;
  /** As it was logged, without the line feed. */
  readonly line: string;
  /** Unix milliseconds; NaN where the record has no time. */
  readonly timeMs: number;
  /** The time that it was sorted by: that of the row before it in its log, where it has none or is out of order. */
  readonly sortMs: number;
  /** The log's name within its folder. */
  readonly log: string;
}

/** A row's place, for going on behind it. It holds through rotation and compression: nothing in it tells the file. */
export interface RowPlace {
  readonly log: string;
  readonly sortMs: number;
  readonly digest: string;
}

/** The text that stands for a row's place. */
export function formatCursor({ log, sortMs, line }: FileRow): string {
  return Buffer.from(JSON.stringify([log, sortMs, digest(line)])).toString('base64url');
}

/** @throws TreelineError `QUERY_INVALID` for what `formatCursor` has not made. */
export function parseCursor(cursor: string): RowPlace {
  try {
    const [log, sortMs, digestText]: unknown[] = JSON.parse(
      Buffer.from(cursor, 'base64url').toString(),
    ) as unknown[];
    if (typeof log === 'string' && typeof sortMs === 'number' && typeof digestText === 'string')
      return { log, sortMs, digest: digestText };
  } catch {
    // Told below.
  }
  throw new TreelineError(
    'QUERY_INVALID',
    `cursor must be one that a query over files has given; got "${cursor.slice(0, 80)}"`,
  );
}

/** Whether a row is the one with this place. */
export function isAt({ log, digest: digestText }: RowPlace, row: Pick<FileRow, 'log' | 'line'>): boolean {
  return row.log === log && digest(row.line) === digestText;
}

function digest(line: string): string {
  return createHash('sha1').update(line).digest('base64url').slice(0, 12);
}

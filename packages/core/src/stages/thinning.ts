import type { LogRecord } from '@treeline/contract';
import type { DropReason } from '../control-block.ts';

/** One accepted line on its way to the sink. */
export interface Line {
  readonly level: number;
  /** The record's number in its log. */
  readonly seq: number;
  /** Unix milliseconds: the record's own time where its line begins with one, else the time of its delivery. */
  readonly timeMs: number;
  /** Parses the line; other stages and streams that ask get the same record. */
  record(): LogRecord;
}

/** A stage that leaves out some of a stream's records. */
export interface Thinning {
  /** What the records that it leaves out are counted as. */
  readonly reason: DropReason;
  passes(line: Line): boolean;
  /** Where it tells what it left out: when the next summary is due, unix milliseconds; Infinity for none. */
  dueMs?(): number;
  /** The summaries that are due; with Infinity all that are open. */
  takeSummaries?(nowMs: number): LogRecord[];
}

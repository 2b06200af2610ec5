import { createBatch, LEVELS, type Batch, type LogRecord } from '@treeline/contract';
import type { DropReason } from '../control-block.ts';

/** The line that tells a destination how many records it has missed. It belongs to no place in the log. */
export function dropNotice(dropped: ReadonlyMap<DropReason, number>, count: number): Batch {
  const record = {
    level: LEVELS.warn,
    time: Date.now(),
    name: 'treeline',
    dropped: Object.fromEntries(dropped),
    msg: `${count} records were dropped before this line`,
  };
  return noticeOf(record);
}

/** A line for a destination that belongs to no place in the log. */
export function noticeOf(record: LogRecord): Batch {
  return createBatch(Buffer.from(`${JSON.stringify(record)}\n`));
}

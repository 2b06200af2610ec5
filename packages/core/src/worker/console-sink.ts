import { openFdWriter, type BatchHints, type Sink } from '@treeline/contract';
import type { ConsoleOptions } from '../config/console-options.ts';

/** People watch a terminal: lines go at once. */
export const CONSOLE_BATCH: Partial<BatchHints> = { maxBytes: 64 * 1024, maxDelayMs: 0 };

/** Core's own console: the lines as they are, on standard output or standard error. */
export function openConsole({ stderr }: Pick<ConsoleOptions, 'stderr'>): Sink {
  const writer = openFdWriter(stderr ? 2 : 1);
  return {
    write: (batch) => writer.write(batch.bytes),
    flush: async () => {},
    close: async () => writer.close(),
  };
}

import { openFdWriter, type BatchHints, type Sink } from '@treeline/contract';

/** Core's own console: the lines as they are, on standard output or standard error. */
export interface ConsoleOptions {
  readonly stderr?: boolean;
}

/** People watch a terminal: lines go at once. */
export const CONSOLE_BATCH: Partial<BatchHints> = { maxBytes: 64 * 1024, maxDelayMs: 0 };

export function openConsole(options: ConsoleOptions): Sink {
  const writer = openFdWriter(options.stderr ? 2 : 1);
  return {
    write: (batch) => writer.write(batch.bytes),
    flush: async () => {},
    close: async () => writer.close(),
  };
}

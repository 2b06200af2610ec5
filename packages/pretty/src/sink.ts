import fs from 'node:fs';
import tty from 'node:tty';
import { openFdWriter, TreelineError, type FdWriter, type Sink } from '@treeline/contract';
import type { ParsedPrettyOptions } from './options.ts';
import { createPrinterFrom } from './printer.ts';
import { resolveSettings } from './settings.ts';

/** Opens the destination of the transport and prints batches to it. */
export function openPrettySink(options: ParsedPrettyOptions): Sink {
  const { destination } = options;
  const isTerminal = typeof destination === 'number' && tty.isatty(destination);
  const printer = createPrinterFrom(
    resolveSettings(options, { env: process.env, isTerminal, cwd: process.cwd(), nowMs: Date.now() }),
  );
  const output = typeof destination === 'number' ? openFdWriter(destination) : openFile(destination);
  let closed = false;
  const print = async (text: string): Promise<void> => {
    if (text !== '') await output.write(Buffer.from(text));
  };
  return {
    write: (batch) => print(printer.write(batch)),
    async flush() {},
    async close() {
      if (closed) return;
      closed = true;
      await print(printer.end());
      output.close();
    },
  };
}

function openFile(path: string): FdWriter {
  const fd = openForAppend(path);
  return {
    async write(bytes) {
      for (let offset = 0; offset < bytes.length;) offset += fs.writeSync(fd, bytes, offset);
    },
    close: () => fs.closeSync(fd),
  };
}

function openForAppend(path: string): number {
  try {
    return fs.openSync(path, 'a');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new TreelineError(
      'DESTINATION_UNUSABLE',
      `can't open "${path}" for printing (${reason}): give a file in a folder that exists`,
      { cause },
    );
  }
}

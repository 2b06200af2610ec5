import fs from 'node:fs';
import tty from 'node:tty';
import { openFdWriter, TreelineError, type FdWriter, type Sink } from '@treeline/contract';
import { wantsColor } from './color.ts';
import type { ParsedPrettyOptions } from './options.ts';
import { createPrinter, type PrinterOptions } from './printer.ts';

/** Opens the destination of the transport and prints batches to it. */
export function openPrettySink(options: ParsedPrettyOptions): Sink {
  const { destination } = options;
  const isTerminal = typeof destination === 'number' && tty.isatty(destination);
  const printer = createPrinter(resolveOptions(options, { env: process.env, isTerminal }));
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

/** Decides what `auto` means for the stream that is written to. */
export function resolveOptions(
  options: ParsedPrettyOptions,
  { env, isTerminal }: { env: Readonly<Record<string, string | undefined>>; isTerminal: boolean },
): PrinterOptions {
  const { color, utc } = options;
  const mode = options.mode === 'auto' ? (isTerminal ? 'live' : 'flat') : options.mode;
  const time = options.time === 'auto' ? (mode === 'flat' ? 'iso' : 'local') : options.time;
  return { mode, time, utc, colored: wantsColor({ color, env, isTerminal }) };
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

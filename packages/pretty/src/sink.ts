import fs from 'node:fs';
import tty from 'node:tty';
import { openFdWriter, openPathWriter, type FdWriter, type Sink } from '@treeline/contract';
import type { ParsedPrettyOptions } from './options.ts';
import { openOutputFile } from './output-file.ts';
import { OutputBuffer } from './output-buffer.ts';
import { createPrinterFrom } from './printer.ts';
import { resolveSettings } from './settings.ts';
import { watchTerminalWidth } from './terminal-width.ts';

/** Opens the destination of the transport and prints batches to it. */
export function openPrettySink(options: ParsedPrettyOptions): Sink {
  const { destination } = options;
  const isTerminal = typeof destination === 'number' && tty.isatty(destination);
  const columns = typeof destination === 'number' ? watchTerminalWidth(destination) : undefined;
  const surroundings = { env: process.env, isTerminal, columns, cwd: process.cwd(), nowMs: Date.now() };
  const printer = createPrinterFrom(resolveSettings(options, surroundings));
  const output = typeof destination === 'number' ? openFdWriter(destination) : openFile(destination, options);
  const buffer = new OutputBuffer();
  let closing: Promise<void> | undefined;
  let unwritten: { batch: unknown; bytes: Buffer } | undefined;
  const print = async (text: string): Promise<void> => {
    if (text !== '') await output.write(Buffer.from(text));
  };
  return {
    async write(batch) {
      // A batch that is offered again has been printed already: its spans are open, its lines would be doubles.
      const bytes = unwritten?.batch === batch.bytes ? unwritten.bytes : buffer.encode(printer.write(batch));
      unwritten = { batch: batch.bytes, bytes };
      if (bytes.length > 0) await output.write(bytes);
      unwritten = undefined;
    },
    async flush() {},
    close() {
      closing ??= print(printer.end()).finally(() => output.close());
      return closing;
    },
  };
}

function openFile(path: string, options: ParsedPrettyOptions): FdWriter {
  const stat = fs.statSync(path, { throwIfNoEntry: false, bigint: true });
  if (stat?.isFIFO() || stat?.isCharacterDevice()) return openPathWriter(path);
  const fd = openOutputFile(path, options);
  return {
    async write(bytes) {
      for (let offset = 0; offset < bytes.length;) offset += fs.writeSync(fd, bytes, offset);
    },
    close: () => fs.closeSync(fd),
  };
}

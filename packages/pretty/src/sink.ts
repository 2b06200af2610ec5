import fs from 'node:fs';
import tty from 'node:tty';
import { openFdWriter, openPathWriter, type FdWriter, type Sink } from '@treeline/contract';
import type { ParsedPrettyOptions } from './options.ts';
import { openOutputFile } from './output-file.ts';
import { OutputBuffer } from './output-buffer.ts';
import { createPrinterFrom } from './printer.ts';
import { resolveSettings } from './settings.ts';
import { watchTerminalWidth } from './terminal-width.ts';

const LINE_FEED = 10;

/** Opens the destination of the transport and prints batches to it. */
export function openPrettySink(options: ParsedPrettyOptions): Sink {
  const { destination } = options;
  const isTerminal = typeof destination === 'number' && tty.isatty(destination);
  const columns = typeof destination === 'number' ? watchTerminalWidth(destination) : undefined;
  const surroundings = { env: process.env, isTerminal, columns, cwd: process.cwd(), nowMs: Date.now() };
  const printer = createPrinterFrom(resolveSettings(options, surroundings));
  const output = typeof destination === 'number' ? openStandard(destination) : openFile(destination, options);
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

function openStandard(fd: 1 | 2): FdWriter {
  return fs.fstatSync(fd, { bigint: true }).isFile() ? fileWriter(fd, () => undefined) : openFdWriter(fd);
}

function openFile(path: string, options: ParsedPrettyOptions): FdWriter {
  const stat = fs.statSync(path, { throwIfNoEntry: false, bigint: true });
  if (stat?.isFIFO() || stat?.isCharacterDevice()) return openPathWriter(path);
  const fd = openOutputFile(path, options);
  return fileWriter(fd, () => fs.closeSync(fd));
}

/** Bytes that are offered again, because a disk was full, go on behind what was written of them. */
function fileWriter(fd: number, close: () => void): FdWriter {
  let unfinished: Uint8Array | undefined;
  let offset = 0;
  let endsInLine = false;
  return {
    async write(bytes) {
      if (bytes !== unfinished) {
        // A line that was cut must not run into this one.
        if (endsInLine) fs.writeSync(fd, '\n');
        endsInLine = false;
        offset = 0;
      }
      unfinished = bytes;
      while (offset < bytes.length) {
        offset += fs.writeSync(fd, bytes, offset);
        endsInLine = bytes[offset - 1] !== LINE_FEED;
      }
      unfinished = undefined;
    },
    close,
  };
}

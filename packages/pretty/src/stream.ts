import fs from 'node:fs';
import tty from 'node:tty';
import { createBatch, LineSplitter } from '@treeline/contract';
import { openOutputFile } from './output-file.ts';
import type { PrettyOptions } from './options.ts';
import { createPrinterFrom } from './printer.ts';
import { watchTerminalWidth } from './terminal-width.ts';
import { parsePrettyOptions, resolveSettings } from './settings.ts';

/** A printer in the process that logs; what `pino(stream)` and `pino(options, stream)` take. */
export interface PrettyStream {
  /** By this pino tells a stream from options. */
  readonly writable: true;
  /** Prints before it returns. Lines may be cut anywhere. */
  write(chunk: string | Uint8Array): boolean;
  /** Prints what is left and what the end of input has to tell. */
  end(): void;
}

const FULL_WAIT_MS = 1;

/**
 * Opens a synchronous printer: for start-up and crash paths, where a worker's output would come too late. It waits where the
 * terminal or pipe is full, as `console.log` does.
 *
 * @throws TypeError that names each wrong option; TreelineError where the destination can't be opened.
 */
export function prettyStream(options: PrettyOptions = {}): PrettyStream {
  const parsed = parsePrettyOptions(options);
  const { destination } = parsed;
  const fd = typeof destination === 'number' ? destination : openOutputFile(destination, parsed);
  const isTerminal = tty.isatty(fd);
  const columns = typeof destination === 'number' ? watchTerminalWidth(destination) : undefined;
  const printer = createPrinterFrom(
    resolveSettings(parsed, { env: process.env, isTerminal, columns, cwd: process.cwd(), nowMs: Date.now() }),
  );
  const splitter = new LineSplitter();
  let ended = false;
  const print = (lines: Buffer | undefined): void => {
    if (lines) writeAll(fd, printer.write(createBatch(lines)));
  };
  return {
    writable: true,
    write(chunk) {
      if (!ended) print(splitter.push(Buffer.from(chunk)));
      return true;
    },
    end() {
      if (ended) return;
      ended = true;
      print(splitter.end());
      writeAll(fd, printer.end());
      if (typeof destination === 'string') fs.closeSync(fd);
    },
  };
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length;) {
    try {
      offset += fs.writeSync(fd, bytes, offset);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Nobody reads any more: there is nobody to tell.
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_WAIT_MS);
    }
  }
}

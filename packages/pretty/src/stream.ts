import fs from 'node:fs';
import tty from 'node:tty';
import { createBatch, LineSplitter, messageOf } from '@treeline/contract';
import { openOutputFile } from './output-file.ts';
import type { PrettyOptions } from './options.ts';
import { createPrinterFrom } from './printer.ts';
import { watchTerminalWidth } from './terminal-width.ts';
import { parsePrettyOptions, resolveSettings } from './settings.ts';

/** A printer in the process that logs; what `pino(stream)` and `pino(options, stream)` take. */
export interface PrettyStream {
  /** By this pino tells a stream from options. */
  readonly writable: true;
  /** Prints before it returns, and never throws: what can't be written is lost, and standard error told once. Lines may be cut anywhere. */
  write(chunk: string | Uint8Array): boolean;
  /** Prints what is left and what the end of input has to tell. */
  end(): void;
}

const FULL_WAIT_MS = 1;
const LINE_FEED = 10;

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
  const output = createOutput(fd);
  let ended = false;
  const print = (lines: Buffer | undefined): void => {
    if (lines) output.write(printer.write(createBatch(lines)));
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
      output.write(printer.end());
      if (typeof destination === 'string') fs.closeSync(fd);
    },
  };
}

/** A log call must not fail because a disk is full. */
function createOutput(fd: number): { write(text: string): void } {
  let isTold = false;
  let endsInLine = false;
  return {
    write(text) {
      if (text === '') return;
      // What was cut must not run into what comes next.
      const bytes = Buffer.from(endsInLine ? `\n${text}` : text);
      const written = writeAll(fd, bytes, (error) => {
        if (!isTold) tell(error);
        isTold = true;
      });
      if (written > 0) endsInLine = bytes[written - 1] !== LINE_FEED;
    },
  };
}

function tell(error: unknown): void {
  try {
    fs.writeSync(2, `@treeline/pretty: can't print, lines are lost: ${messageOf(error)}\n`);
  } catch {
    // There is nowhere left to tell it.
  }
}

/** How many bytes were written: all, unless it failed. */
function writeAll(fd: number, bytes: Buffer, onFailure: (error: unknown) => void): number {
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += fs.writeSync(fd, bytes, offset);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Nobody reads any more: there is nobody to tell.
      if (code === 'EPIPE') return offset;
      if (code !== 'EAGAIN') {
        onFailure(error);
        return offset;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_WAIT_MS);
    }
  }
  return offset;
}

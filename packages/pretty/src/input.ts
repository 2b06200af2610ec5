import fs from 'node:fs';
import net from 'node:net';
import type { ReadInto } from './input-lines.ts';

const CHUNK_SIZE = 64 * 1024;
/** After a stat of a pipe Node 20 and 22 can't load modules behind symbolic links any more: see `openFdWriter`. */
const WITHOUT_TRACE = { bigint: true } as const;

/** A source of bytes that is open. */
export interface Input {
  readonly read: ReadInto;
  close(): void;
}

/** Opens a file for reading. */
export function openInputFile(path: string): Input {
  const fd = fs.openSync(path, 'r');
  if (!fs.fstatSync(fd, WITHOUT_TRACE).isDirectory()) return fileInput(fd);
  fs.closeSync(fd);
  throw new Error('it is a directory');
}

/** Standard input, whatever it is. */
export function standardInput(): Input {
  const stat = fs.fstatSync(0, WITHOUT_TRACE);
  if (stat.isFile() || stat.isBlockDevice()) return { ...fileInput(0), close() {} };
  return stat.isFIFO() || stat.isSocket() ? pipeInput() : streamInput();
}

function fileInput(fd: number): Input {
  return {
    read: (buffer, offset) =>
      new Promise((resolve, reject) => {
        fs.read(fd, buffer, offset, buffer.length - offset, null, (error, count) => {
          if (error) reject(error);
          else resolve(count);
        });
      }),
    close: () => fs.closeSync(fd),
  };
}

/**
 * A pipe, read into one buffer: `process.stdin` makes a new one for each 64 KiB. Not by fs.read either: a thread that waits in it
 * would hold up the end of the process.
 */
function pipeInput(): Input {
  const chunk = Buffer.allocUnsafeSlow(CHUNK_SIZE);
  const state: { count: number; ended: boolean; failure?: Error; wake(): void } = {
    count: 0,
    ended: false,
    wake() {},
  };
  // `onread` is an option of the constructor too, which the types don't know.
  const options: net.SocketConstructorOpts & net.ConnectOpts = {
    fd: 0,
    writable: false,
    onread: {
      buffer: chunk,
      callback(count) {
        state.count = count;
        state.wake();
        return false;
      },
    },
  };
  const socket = new net.Socket(options);
  const end = (failure?: Error): void => {
    state.ended = true;
    if (failure) state.failure = failure;
    state.wake();
  };
  socket.on('end', () => end());
  socket.on('error', end);
  return {
    async read(buffer, offset) {
      if (state.count === 0 && !state.ended) {
        const woken = new Promise<void>((resolve) => {
          state.wake = resolve;
        });
        socket.resume();
        await woken;
      }
      if (state.failure) throw state.failure;
      // The room is never less than what one read brings.
      const taken = chunk.copy(buffer, offset, 0, state.count);
      state.count = 0;
      return taken;
    },
    close: () => socket.destroy(),
  };
}

/** A terminal, or what else Node knows how to read. */
function streamInput(): Input {
  const iterator = process.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Buffer | undefined;
  return {
    async read(buffer, offset) {
      const chunk = rest ?? (await nextOf(iterator));
      if (!chunk) return 0;
      const count = chunk.copy(buffer, offset);
      rest = count < chunk.length ? chunk.subarray(count) : undefined;
      return count;
    },
    close: () => process.stdin.destroy(),
  };
}

async function nextOf(iterator: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  const next = await iterator.next();
  return next.done ? undefined : next.value;
}

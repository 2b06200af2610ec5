import fs from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { TreelineError } from './errors.ts';

/** A reader that keeps up empties a pipe within microseconds: so many times it is tried again at once, then after pauses that double. */
const TRIES_AT_ONCE = 32;
const MAX_PAUSE_MS = 32;

/** Writes to a terminal, pipe, FIFO or file without ever blocking its thread. */
export interface FdWriter {
  /**
   * Resolves when the kernel has taken all bytes; rejects where nobody can read them any more (EPIPE), and with CLOSED when it is closed
   * before. One call at a time.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Gives back what `openFdWriter` opened; standard output itself is never closed. */
  close(): void;
}

/**
 * Opens standard output or standard error (1, 2) for writing that never blocks. A pipe or terminal is opened once more, so that
 * the flag is ours alone: setting it on the shared description would make other writers, child processes included, see EAGAIN.
 * Where that can't be done (a socket, no /proc) the descriptor is used as it is, and blocks unless somebody has set the flag: Node
 * does so when `process.stdout` is first touched in the main thread.
 */
export function openFdWriter(fd: 1 | 2): FdWriter {
  // In Node 20 and 22 fs.realpathSync, and with it the loading of modules, looks at what the last stat call found (`statValues` in
  // lib/fs.js): after a pipe it leaves symbolic links as they are. A stat with bigint has a place of its own.
  const stat = fs.fstatSync(fd, { bigint: true });
  const reopened = stat.isFIFO() || stat.isCharacterDevice() ? reopenNonBlocking(fd) : undefined;
  return createFdWriter(reopened ?? fd, reopened !== undefined);
}

/**
 * Opens a FIFO or device by path.
 *
 * @throws ENXIO where nobody reads the FIFO yet; to be tried again later.
 */
export function openPathWriter(path: string): FdWriter {
  return createFdWriter(openNonBlocking(path), true);
}

function reopenNonBlocking(fd: number): number | undefined {
  try {
    return openNonBlocking(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

function openNonBlocking(path: string): number {
  const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = fs.constants;
  return fs.openSync(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
}

function createFdWriter(fd: number, owned: boolean): FdWriter {
  let open = true;
  return {
    async write(bytes) {
      let offset = 0;
      for (let fruitless = 0; offset < bytes.length;) {
        // The number may be somebody else's file once it is closed.
        if (!open)
          throw new TreelineError(
            'CLOSED',
            `descriptor ${fd} was closed before ${bytes.length - offset} bytes were written`,
          );
        const written = writeSome(fd, bytes, offset);
        offset += written;
        fruitless = written > 0 ? 0 : fruitless + 1;
        if (fruitless > 0) await pauseBefore(fruitless);
      }
    },
    close() {
      if (open && owned) fs.closeSync(fd);
      open = false;
    },
  };
}

async function pauseBefore(attempt: number): Promise<void> {
  if (attempt <= TRIES_AT_ONCE) await setImmediate();
  else await setTimeout(Math.min(MAX_PAUSE_MS, 2 ** (attempt - TRIES_AT_ONCE - 1)));
}

function writeSome(fd: number, bytes: Uint8Array, offset: number): number {
  try {
    return fs.writeSync(fd, bytes, offset);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}

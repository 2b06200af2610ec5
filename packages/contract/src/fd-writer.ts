import fs from 'node:fs';

/** How long to wait when a pipe or terminal is full before trying again. */
const FULL_WAIT_MS = 5;

/** Writes to a terminal, pipe, FIFO or file without ever blocking its thread. */
export interface FdWriter {
  /** Resolves when the kernel has taken all bytes; rejects where nobody can read them any more (EPIPE). */
  write(bytes: Uint8Array): Promise<void>;
  /** Gives back what `openFdWriter` opened; standard output itself is never closed. */
  close(): void;
}

/**
 * Opens standard output or standard error (1, 2) for writing that never blocks. A pipe or terminal is opened once more, so that
 * the flag is ours alone: setting it on the shared description would make other writers, child processes included, see EAGAIN.
 * Where that can't be done (a socket, no /proc) the descriptor is used as it is.
 */
export function openFdWriter(fd: 1 | 2): FdWriter {
  const stat = fs.fstatSync(fd);
  const reopened =
    stat.isFIFO() || stat.isCharacterDevice() ? openNonBlocking(`/proc/self/fd/${fd}`) : undefined;
  return createFdWriter(reopened ?? fd, reopened !== undefined);
}

/** Opens a FIFO or device by path. A FIFO that nobody reads is refused with ENXIO, to be tried again later. */
export function openPathWriter(path: string): FdWriter {
  return createFdWriter(
    fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY),
    true,
  );
}

function openNonBlocking(path: string): number | undefined {
  try {
    return fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY);
  } catch {
    return undefined;
  }
}

function createFdWriter(fd: number, owned: boolean): FdWriter {
  let open = true;
  return {
    async write(bytes) {
      for (let offset = 0; offset < bytes.length;) {
        const written = writeSome(fd, bytes, offset);
        offset += written;
        if (written === 0) await new Promise((resolve) => setTimeout(resolve, FULL_WAIT_MS));
      }
    },
    close() {
      if (open && owned) fs.closeSync(fd);
      open = false;
    },
  };
}

function writeSome(fd: number, bytes: Uint8Array, offset: number): number {
  try {
    return fs.writeSync(fd, bytes, offset);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}

import fs from 'node:fs';
import tty from 'node:tty';
import { isMainThread } from 'node:worker_threads';

/** How long a width is taken to hold: to ask for it costs some 50 µs. */
const LOOK_AGAIN_MS = 200;

/**
 * Watches the width of the terminal on standard output or standard error, in a worker too: there `process.stdout` has no columns and
 * no signal tells of a new size. The result asks for the columns; undefined where nothing knows them.
 */
export function watchTerminalWidth(fd: 1 | 2): () => number | undefined {
  let columns: number | undefined;
  let lookedMs = -Infinity;
  return () => {
    const nowMs = performance.now();
    if (nowMs - lookedMs >= LOOK_AGAIN_MS) {
      columns = readColumns(fd);
      lookedMs = nowMs;
    }
    return columns;
  };
}

function readColumns(fd: 1 | 2): number | undefined {
  // A terminal that was never told its size says 0.
  return (
    readOwnColumns(fd) || (isMainThread && (fd === 1 ? process.stdout : process.stderr).columns) || undefined
  );
}

/** Opens the terminal once more: libuv puts what it opens in the place of the descriptor that it is given. */
function readOwnColumns(fd: 1 | 2): number | undefined {
  let own: number | undefined;
  try {
    own = fs.openSync(`/proc/self/fd/${fd}`, fs.constants.O_WRONLY | fs.constants.O_NOCTTY);
    const stream = new tty.WriteStream(own);
    own = undefined;
    const { columns } = stream;
    stream.destroy();
    return columns;
  } catch {
    // No /proc, or no terminal.
    return undefined;
  } finally {
    if (own !== undefined) fs.closeSync(own);
  }
}

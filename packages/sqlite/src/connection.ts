import fs from 'node:fs';
import { openDatabase, type OpenDatabaseOptions } from './database.ts';
import { isBusy, type Database } from './driver.ts';
import { LogWriter } from './writer.ts';

/** SQLite may block the thread this long for another writer; waiting longer is done by timer. */
export const BUSY_TIMEOUT_MS = 5;

/** One connection that writes, and the file that it was opened on. */
export interface Connection {
  readonly db: Database;
  readonly writer: LogWriter;
  /** Changes when another connection has committed. */
  readonly dataVersion: () => number;
  /** Whether the path leads to this connection's file: someone may have moved or deleted it. */
  readonly isCurrent: () => boolean;
}

export async function connect(
  path: string,
  synchronous: NonNullable<OpenDatabaseOptions['synchronous']>,
): Promise<Connection> {
  const db = await untilFree(() => openDatabase(path, { busyTimeoutMs: BUSY_TIMEOUT_MS, synchronous }));
  const dataVersion = db.prepare<[], number>('PRAGMA data_version').pluck();
  const file = fileOf(path);
  return {
    db,
    writer: new LogWriter(db),
    dataVersion: () => dataVersion.get() ?? 0,
    isCurrent: () => fileOf(path) === file,
  };
}

/** Which file stands at a path; by stat alone, since closing a descriptor of our own would drop SQLite's locks on it. */
function fileOf(path: string): string | undefined {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  return stat && `${stat.dev}:${stat.ino}`;
}

/**
 * Moves a damaged store and its side files out of the way, for `sqlite3 <file> .recover`; returns where it is. The side files go
 * first: a new store must not find the log of an old one.
 */
export function setAside(path: string, now: Date): string {
  const target = `${path}.corrupt-${now.toISOString().replace(/[:.]/g, '-')}`;
  for (const suffix of ['-wal', '-shm', '']) {
    if (fs.existsSync(path + suffix)) fs.renameSync(path + suffix, target + suffix);
  }
  return target;
}

/** A writer that takes longer than this is no writer of ours: those cut their transactions. */
const LONG_WAIT_MS = 5000;

/** Tries again by timer while another process writes: the thread stays free. Calls `onLongWait` once where that takes long. */
export async function untilFree<T>(attempt: () => T, onLongWait: () => void = () => undefined): Promise<T> {
  const beganMs = performance.now();
  for (let isTold = false; ;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
    if (!isTold && performance.now() - beganMs > LONG_WAIT_MS) {
      isTold = true;
      onLongWait();
    }
    await sleep(1 + Math.random() * 8);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

import fs from 'node:fs';
import { BUSY_TIMEOUT_MS } from './connection.ts';
import type { Database } from './driver.ts';

/** From here on the write-ahead log is made to start anew; SQLite's own checkpoints can't where readers follow each other closely. */
export const RESTART_WAL_BYTES = 16 * 1024 * 1024;

/** Above this something holds a read transaction open, and the operator should know. */
export const MAX_WAL_BYTES = 64 * 1024 * 1024;

/** How long a checkpoint may wait for readers at a time: readers of this package take no longer for a statement. */
const READER_WAIT_MS = 40;

export function walBytes(path: string): number {
  return fs.statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

/** Empties the write-ahead log where no reader is in the way; returns its size then. */
export function emptyWal(db: Database, path: string): number {
  db.exec(`PRAGMA busy_timeout = ${READER_WAIT_MS}`);
  try {
    db.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  }
  return walBytes(path);
}

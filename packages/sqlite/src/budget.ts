import { deleteThroughMark } from './deletion.ts';
import type { Database } from './driver.ts';
import { emptyWal, walBytes } from './wal.ts';

/** Rows that are deleted, and pages given back, in one go: some 20 ms. */
const ROWS_PER_STEP = 500;
const PAGES_PER_STEP = 500;

/** What one step did towards `maxBytes`. */
export interface ShrinkStep {
  /** Rows that were deleted. */
  readonly deleted: number;
  /** How far the store was beyond its budget, in shares of it. */
  readonly excess: number;
}

/**
 * One step towards `maxBytes`, which bounds the file and its write-ahead log: empties the log where that is enough, gives free pages
 * back, or deletes the oldest rows where there are too few of those. Undefined where the store keeps its budget, or where a reader
 * holds the log: deleting rows would make it longer.
 */
export function shrinkStep(db: Database, path: string, maxBytes: number): ShrinkStep | undefined {
  const pageBytes = Number(db.pragma('page_size', { simple: true }));
  const fileBytes = Number(db.pragma('page_count', { simple: true })) * pageBytes;
  const excessBytes = fileBytes + walBytes(path) - maxBytes;
  if (excessBytes <= 0) return undefined;
  const excess = excessBytes / maxBytes;
  if (fileBytes <= maxBytes) return emptyWal(db, path) === 0 ? { deleted: 0, excess } : undefined;
  const freePages = Number(db.pragma('freelist_count', { simple: true }));
  // A few free pages are left to the rows that come next: giving back costs as much as deleting.
  if (freePages >= Math.min((fileBytes - maxBytes) / pageBytes, PAGES_PER_STEP)) {
    // By exec, which steps it to the end: a single step frees one page.
    db.exec(`PRAGMA incremental_vacuum(${PAGES_PER_STEP})`);
    emptyWal(db, path);
    return { deleted: 0, excess };
  }
  return { deleted: db.transaction(() => deleteOldest(db)).immediate(), excess };
}

function deleteOldest(db: Database): number {
  const ids = db.prepare<[], number>(`SELECT id FROM logs ORDER BY id LIMIT ${ROWS_PER_STEP}`).pluck().all();
  if (ids.length === 0) return 0;
  const deleted = deleteThroughMark(db, ids);
  db.prepare(
    `INSERT INTO meta (key, value) VALUES ('evicted_rows', ?)
     ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + CAST(excluded.value AS INTEGER)`,
  ).run(String(deleted));
  return deleted;
}

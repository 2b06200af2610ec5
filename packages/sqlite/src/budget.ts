import { deleteThroughMark } from './deletion.ts';
import type { Database } from './driver.ts';
import { walBytes } from './wal.ts';

/** Rows that are deleted, and pages given back, in one go: some 20 ms. */
const ROWS_PER_STEP = 500;
const PAGES_PER_STEP = 500;

/** Bytes on disk, the write-ahead log included. */
function storeBytes(db: Database, path: string): number {
  const pages = Number(db.pragma('page_count', { simple: true }));
  const pageSize = Number(db.pragma('page_size', { simple: true }));
  return pages * pageSize + walBytes(path);
}

/**
 * One step towards `maxBytes`: gives free pages back, or deletes the oldest rows where there are none. Returns how many rows were
 * deleted; undefined where the store keeps its budget.
 */
export function shrinkStep(db: Database, path: string, maxBytes: number): number | undefined {
  if (storeBytes(db, path) <= maxBytes) return undefined;
  if (Number(db.pragma('freelist_count', { simple: true })) > 0) {
    // By exec, which steps it to the end: a single step frees one page.
    db.exec(`PRAGMA incremental_vacuum(${PAGES_PER_STEP})`);
    db.pragma('wal_checkpoint(TRUNCATE)');
    return 0;
  }
  return db.transaction(() => deleteOldest(db)).immediate();
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

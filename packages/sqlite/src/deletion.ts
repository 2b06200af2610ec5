import { MS_PER_MINUTE } from './ddl.ts';
import type { Database } from './driver.ts';
import { forgetTexts } from './full-text.ts';

interface Deleted {
  readonly ts: number;
  readonly level: number;
  readonly source: string;
  readonly type: string;
}

/** Deletes rows and takes them out of the counts, within the open transaction. The delete trigger has the last word. */
export function deleteRows(db: Database, ids: readonly number[]): number {
  const list = JSON.stringify(ids);
  const rows = db
    .prepare<[string], Deleted>(
      'SELECT ts, level, source, type FROM logs WHERE id IN (SELECT value FROM json_each(?))',
    )
    .all(list);
  const { changes } = db.prepare('DELETE FROM logs WHERE id IN (SELECT value FROM json_each(?))').run(list);
  forgetTexts(db, list);
  const subtract = db.prepare<[number, number, number, string, string]>(
    'UPDATE log_counts SET n = n - 1 WHERE n >= ? AND minute = ? AND level = ? AND source = ? AND type = ?',
  );
  for (const { ts, level, source, type } of rows) {
    const minute = Math.floor(ts / MS_PER_MINUTE);
    // Counted with the others of its minute where it came late in one that was full.
    if (subtract.run(1, minute, level, source, type).changes === 0) subtract.run(1, minute, level, '*', '*');
  }
  const minutes = JSON.stringify([...new Set(rows.map(({ ts }) => Math.floor(ts / MS_PER_MINUTE)))]);
  db.prepare('DELETE FROM log_counts WHERE n = 0 AND minute IN (SELECT value FROM json_each(?))').run(
    minutes,
  );
  return changes;
}

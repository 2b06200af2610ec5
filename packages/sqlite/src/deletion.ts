import { MS_PER_MINUTE } from './ddl.ts';
import type { Database } from './driver.ts';
import { forgetTexts } from './full-text.ts';

interface Counted {
  readonly minute: number;
  readonly level: number;
  readonly source: string;
  readonly type: string;
  readonly n: number;
}

const DELETE_MARK = 'archive_delete_upto';

/** Deletes rows and takes them out of the counts, within the open transaction. The delete trigger has the last word. */
export function deleteRows(db: Database, ids: readonly number[]): number {
  const list = JSON.stringify(ids);
  const groups = db
    .prepare<[string], Counted>(
      // Rounded down, as the counts are, also before 1970.
      `SELECT (ts - ((ts % ${MS_PER_MINUTE}) + ${MS_PER_MINUTE}) % ${MS_PER_MINUTE}) / ${MS_PER_MINUTE} AS minute,
         level, source, type, count(*) AS n
       FROM logs WHERE id IN (SELECT value FROM json_each(?)) GROUP BY 1, 2, 3, 4`,
    )
    .all(list);
  const { changes } = db.prepare('DELETE FROM logs WHERE id IN (SELECT value FROM json_each(?))').run(list);
  forgetTexts(db, list);
  subtractCounts(db, groups);
  return changes;
}

/**
 * Deletes rows whatever the mark of the delete trigger says, within the open transaction: the way is open for this transaction alone,
 * in which nobody else deletes.
 */
export function deleteThroughMark(db: Database, ids: readonly number[]): number {
  const get = db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck();
  const set = db.prepare<[string, string]>('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)');
  const before = get.get(DELETE_MARK);
  set.run(DELETE_MARK, String(ids.reduce((a, b) => Math.max(a, b), 0)));
  const deleted = deleteRows(db, ids);
  if (before === undefined) db.prepare('DELETE FROM meta WHERE key = ?').run(DELETE_MARK);
  else set.run(DELETE_MARK, before);
  return deleted;
}

function subtractCounts(db: Database, groups: readonly Counted[]): void {
  const get = db
    .prepare<[number, number, string, string], number>(
      'SELECT n FROM log_counts WHERE minute = ? AND level = ? AND source = ? AND type = ?',
    )
    .pluck();
  const subtract = db.prepare<[number, number, number, string, string]>(
    'UPDATE log_counts SET n = n - ? WHERE minute = ? AND level = ? AND source = ? AND type = ?',
  );
  for (const { minute, level, source, type, n } of groups) {
    // Counted with the others of its minute where a row came late in one that was full.
    const apart = Math.min(n, get.get(minute, level, source, type) ?? 0);
    if (apart > 0) subtract.run(apart, minute, level, source, type);
    if (n > apart) subtract.run(n - apart, minute, level, '*', '*');
  }
  const minutes = JSON.stringify([...new Set(groups.map(({ minute }) => minute))]);
  db.prepare('DELETE FROM log_counts WHERE n <= 0 AND minute IN (SELECT value FROM json_each(?))').run(
    minutes,
  );
}

import { openDatabase } from './database.ts';
import type { Database } from './driver.ts';
import { jsonPath } from './field.ts';
import { INDEX_FIELD } from './index-field.ts';

/** Optional indexes carry the field in their name. */
const PREFIX = 'logs_by:';

/** The expression that an optional index keeps; a query must repeat it to the letter. */
export function indexedExpression(field: string): string {
  return field === 'trace_id' ? 'trace_id' : `payload ->> '${jsonPath(field.split('.'))}'`;
}

export function indexName(field: string): string {
  return `"${PREFIX}${field}"`;
}

/** The fields that this store has optional indexes for. */
export function indexedFields(db: Database): string[] {
  return db
    .prepare<[number, string], string>(
      "SELECT substr(name, ?) FROM sqlite_schema WHERE type = 'index' AND name LIKE ? ORDER BY 1",
    )
    .pluck()
    .all(PREFIX.length + 1, `${PREFIX}%`);
}

/** Makes an index that leads with the hour, as that of ref_id: a random key touches the newest pages alone. */
export function createIndex(db: Database, field: string): void {
  if (!INDEX_FIELD.test(field)) {
    throw new RangeError(`indexes must be trace_id or paths like req.status; got ${JSON.stringify(field)}`);
  }
  const expression = indexedExpression(field);
  db.exec(
    `CREATE INDEX IF NOT EXISTS ${indexName(field)} ON logs (ts / 3600000, ${expression}) WHERE ${expression} IS NOT NULL`,
  );
}

/**
 * Makes optional indexes over the rows that are there, for tools: who writes waits meanwhile, about 3 s for a million rows.
 *
 * @throws RangeError for what can't be indexed; TreelineError as `openLogStore`.
 */
export function createIndexes(path: string, fields: readonly string[]): void {
  const db = openDatabase(path, { busyTimeoutMs: 5000 });
  try {
    for (const field of fields) createIndex(db, field);
  } finally {
    db.close();
  }
}

import { TreelineError } from '@treeline/contract';
import { openDatabase, storeError } from './database.ts';
import type { Database } from './driver.ts';
import { MIGRATIONS } from './ddl.ts';
import { readArchivedLine } from './archived-line.ts';
import { Rollup } from './rollup.ts';

/** A store that takes rows back under the ids that they had. */
export interface RestoreTarget {
  /** Inserts archived lines in one transaction; those whose id is there already are passed over. Returns how many were new. */
  insert(lines: readonly string[]): number;
  close(): void;
}

const RESTORED_FROM = 'restored_from';

/**
 * Opens a store to restore rows of another one into: a new file, or one that an earlier restore of the same store has begun. Rows are
 * never put back into a store that programs write to.
 *
 * @throws TreelineError `DESTINATION_UNUSABLE` where the file is something else.
 */
export function openRestoreTarget(path: string, storeId: string): RestoreTarget {
  const db = openDatabase(path, { busyTimeoutMs: 5000 });
  try {
    claim(db, path, storeId);
  } catch (error) {
    db.close();
    throw storeError(error, path);
  }
  return new SqliteRestoreTarget(db, path);
}

function claim(db: Database, path: string, storeId: string): void {
  db.transaction(() => {
    const meta = db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck();
    const from = meta.get(RESTORED_FROM);
    const isArchived =
      db.prepare("SELECT 1 FROM meta WHERE key GLOB 'archive_*' LIMIT 1").get() !== undefined;
    // Also where all its rows have been archived, and it is empty.
    if (isArchived || meta.get('store_id') === storeId) {
      throw new TreelineError(
        'DESTINATION_UNUSABLE',
        `${path} is a store that is archived, and its next run would archive the rows again; choose a file that does not exist yet`,
      );
    }
    const isEmpty = db.prepare('SELECT 1 FROM logs LIMIT 1').get() === undefined;
    if (from !== storeId && !(from === undefined && isEmpty)) {
      throw new TreelineError(
        'DESTINATION_UNUSABLE',
        `${path} holds rows that are not of this archive; choose a file that does not exist yet`,
      );
    }
    db.prepare<[string, string]>('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)').run(
      RESTORED_FROM,
      storeId,
    );
  }).immediate();
}

/** The trigger that keeps rows from choosing their ids, as the schema makes it. */
const NO_REPLACE = /CREATE TRIGGER logs_no_replace[\s\S]*?END;/.exec(MIGRATIONS.join('\n'))?.[0] ?? '';

class SqliteRestoreTarget implements RestoreTarget {
  readonly #db: Database;
  readonly #path: string;

  constructor(db: Database, path: string) {
    this.#db = db;
    this.#path = path;
  }

  insert(lines: readonly string[]): number {
    try {
      return this.#db.transaction(() => this.#insert(lines)).immediate();
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  #insert(lines: readonly string[]): number {
    // Within the transaction, so that the store is append-only again whatever happens.
    this.#db.exec('DROP TRIGGER logs_no_replace');
    const insert = this.#db.prepare(
      `INSERT OR IGNORE INTO logs
         (id, source, type, ref_id, ts, level, msg, trace_id, span_id, parent_span_id, payload)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    const rollup = new Rollup(this.#db);
    let inserted = 0;
    for (const line of lines) {
      const row = readArchivedLine(line);
      if (insert.run(...row).changes === 0) continue;
      inserted++;
      const [, source, type, refId, ts, level, msg, traceId, spanId, parentSpanId] = row;
      rollup.count({ source, type, refId, ts, level, msg, traceId, spanId, parentSpanId });
    }
    rollup.write();
    this.#db.exec(NO_REPLACE);
    return inserted;
  }

  close(): void {
    this.#db.close();
  }
}

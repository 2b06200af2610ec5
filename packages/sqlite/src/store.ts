import { TreelineError } from '@treeline/contract';
import { backupStore, type BackupProgress } from './backup.ts';
import { openDatabase, openReadOnlyDatabase, storeError } from './database.ts';
import type { Database } from './driver.ts';
import { deleteRows } from './deletion.ts';
import { recordOfEntry, type LogEntry } from './entry.ts';
import { checkQuery, type LogQuery } from './log-query.ts';
import { rowOfLine } from './new-row.ts';
import { countPages, readPages } from './reading.ts';
import { readStats, type Stats, type StatsQuery } from './stats.ts';
import type { LogRow } from './row.ts';
import { readTable, type Table, type TableQuery } from './table.ts';
import { LogWriter } from './writer.ts';

/** Rows of one call. */
export interface LogRows extends ReadonlyArray<LogRow> {
  /** False where `timeoutMs` ended the search: there may be more. */
  readonly complete: boolean;
}

/** The read side of a store. It can be pulled from and nothing else: it has no subscription, so a log can't trigger what reads it. */
export interface LogReader {
  /** The database file, as it was given. */
  readonly path: string;
  /** Rows that match, newest first unless `order` says otherwise. Blocks its thread; `timeoutMs` bounds that. */
  queryLogs(query?: LogQuery): LogRows;
  /**
   * The same rows one by one, without a limit of its own; holds no transaction open between them. It returns whether that is all:
   * `complete` is false where `timeoutMs` ended the search.
   */
  iterate(query?: LogQuery): Generator<LogRow, { readonly complete: boolean }>;
  /** The rows of `iterate` as they are read: each page is a short read of its own, and may be empty where few rows match. */
  iteratePages(query?: LogQuery): Generator<readonly LogRow[], { readonly complete: boolean }>;
  /** Number of rows, by level and over time, the most frequent values and percentiles of a field. */
  stats(query?: StatsQuery): Stats;
  /**
   * The answer to a query with stages (`level>=error | count by source`).
   *
   * @throws TreelineError `QUERY_INVALID` where it does not parse.
   */
  table(query: TableQuery): Table;
  /** @throws TreelineError `TIMEOUT` where `timeoutMs` did not suffice. */
  count(query?: Omit<LogQuery, 'limit' | 'order'>): number;
  readonly meta: { readonly get: (key: string) => string | undefined };
  close(): void;
}

/** A store that is open for writing. */
export interface LogStore extends LogReader {
  /**
   * Appends in one transaction and returns the rows' ids. When it returns, the rows are committed.
   *
   * @throws TypeError, RangeError where an entry is none; nothing is appended then.
   */
  append(entries: LogEntry | readonly LogEntry[]): number[];
  /**
   * Deletes rows that an archive holds, and takes them out of the counts; returns how many there were. Ids beyond the meta key
   * `archive_delete_upto` are refused, and nothing is deleted then.
   */
  deleteArchived(ids: readonly number[]): number;
  /**
   * Copies the store as it is now to a new file, while others go on writing; durable when it resolves.
   *
   * @throws TreelineError `DESTINATION_UNUSABLE` where the target is there already.
   */
  backup(target: string, onProgress?: (progress: BackupProgress) => void): Promise<void>;
  readonly meta: {
    readonly get: (key: string) => string | undefined;
    /** Facts of the program's own, and those of the archive; `schema_version` and `store_id` can't be changed. */
    readonly set: (key: string, value: string) => void;
  };
}

/** How long a call may wait for another process that writes. */
const BUSY_TIMEOUT_MS = 5000;

const FIXED_META = new Set(['schema_version', 'store_id']);

/**
 * Opens a log store, which is made where it is missing. All calls are synchronous, as those of better-sqlite3.
 *
 * @throws TreelineError that names the path, for what is no store, a damaged or a newer one.
 */
export function openLogStore(path = 'data/logs.db'): LogStore {
  const db = openDatabase(path, { busyTimeoutMs: BUSY_TIMEOUT_MS });
  const writer = new LogWriter(db);
  const reader = readerOf(db, path);
  return {
    ...reader,
    append(entries) {
      const records = (Array.isArray(entries) ? entries : [entries as LogEntry]).map(recordOfEntry);
      const rows = records.map((record) => rowOfLine(Buffer.from(JSON.stringify(record)), Date.now()));
      return guarded(path, () => {
        writer.begin();
        try {
          const ids = rows.map((row) => writer.insert(row));
          writer.commit();
          return ids;
        } finally {
          writer.rollback();
        }
      });
    },
    deleteArchived: (ids) => guarded(path, () => db.transaction(() => deleteRows(db, ids)).immediate()),
    backup: (target, onProgress) => backupStore(path, target, onProgress),
    meta: {
      get: reader.meta.get,
      set(key, value) {
        if (FIXED_META.has(key))
          throw new TypeError(`meta key must not be one of the store's own; got ${JSON.stringify(key)}`);
        guarded(path, () => writer.setMeta(key, value));
      },
    },
  };
}

/**
 * Opens a store for reading alone: nothing can be written through it, and there is nothing to subscribe to.
 *
 * @throws TreelineError `STORE_MISSING` where there is none.
 */
export function openLogReader(path = 'data/logs.db'): LogReader {
  return readerOf(openReadOnlyDatabase(path, { busyTimeoutMs: BUSY_TIMEOUT_MS }), path);
}

function readerOf(db: Database, path: string): LogReader {
  const getMeta = db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck();
  const iteratePages: LogReader['iteratePages'] = function* (query = {}) {
    const checked = checkQuery({ limit: Infinity, ...query });
    const deadlineMs = performance.now() + checked.timeoutMs;
    const pages = readPages(db, checked);
    for (;;) {
      const page = guarded(path, () => pages.next());
      if (page.done) return { complete: true };
      yield page.value;
      if (performance.now() > deadlineMs) return { complete: false };
    }
  };
  return {
    path,
    queryLogs(query = {}) {
      const checked = checkQuery(query);
      return guarded(path, () => {
        const deadlineMs = performance.now() + checked.timeoutMs;
        const rows: LogRow[] = [];
        let complete = true;
        for (const page of readPages(db, checked)) {
          rows.push(...page);
          complete = performance.now() < deadlineMs;
          if (!complete) break;
        }
        return Object.assign(rows, { complete });
      });
    },
    *iterate(query = {}) {
      const pages = iteratePages(query);
      for (;;) {
        const page = pages.next();
        if (page.done) return page.value;
        yield* page.value;
      }
    },
    iteratePages,
    count(query = {}) {
      const checked = checkQuery(query);
      const deadlineMs = performance.now() + checked.timeoutMs;
      return guarded(path, () => {
        let count = 0;
        for (count of countPages(db, checked)) {
          if (performance.now() > deadlineMs) {
            throw new TreelineError(
              'TIMEOUT',
              `counting took longer than ${checked.timeoutMs} ms; narrow since and until`,
            );
          }
        }
        return count;
      });
    },
    stats: (query = {}) => guarded(path, () => readStats(db, checkQuery(query), query)),
    table: (query) => guarded(path, () => readTable(db, query)),
    meta: { get: (key) => guarded(path, () => getMeta.get(key)) },
    close: () => void db.close(),
  };
}

function guarded<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw storeError(error, path);
  }
}

import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf, TreelineError } from '@treeline/contract';
import { APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION } from './ddl.ts';
import { isBusy, isCorrupt, loadDriver, sqliteCode, type Database } from './driver.ts';

export interface OpenDatabaseOptions {
  /** How long SQLite may block the thread while another process writes. */
  readonly busyTimeoutMs: number;
  readonly synchronous?: 'normal' | 'full';
}

/** Shrinks the WAL file back to this after a checkpoint. */
const JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024;

/**
 * Opens a store for writing; makes file, folders and schema where they are missing.
 *
 * @throws TreelineError that names the path where it is no store, a damaged or a newer one, or can't be opened. Passes SQLite's own
 * error on where another process holds the file, so that the caller can try again.
 */
export function openDatabase(path: string, options: OpenDatabaseOptions): Database {
  const db = connect(path, () => {
    refuseDirectory(path);
    fs.mkdirSync(dirname(path), { recursive: true });
    return new (loadDriver())(path, { timeout: options.busyTimeoutMs });
  });
  return closedOnError(db, path, () => {
    // Only before the first table; later it would take a VACUUM.
    db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    const mode: unknown = db.pragma('journal_mode = WAL', { simple: true });
    if (mode !== 'wal') {
      throw new TreelineError(
        'STORE_UNUSABLE',
        `${path}: write-ahead logging is not possible there (journal mode is ${String(mode)}); choose a path on a local file system`,
      );
    }
    db.exec(`
      PRAGMA synchronous = ${options.synchronous === 'full' ? 'FULL' : 'NORMAL'};
      PRAGMA cache_size = -32000;
      PRAGMA temp_store = MEMORY;
      PRAGMA journal_size_limit = ${JOURNAL_SIZE_LIMIT};
      PRAGMA trusted_schema = OFF;
    `);
    if (storedVersion(db, path) !== SCHEMA_VERSION) migrate(db, path);
  });
}

/**
 * Opens a store for reading alone.
 *
 * @throws TreelineError `STORE_MISSING` where there is none, else as `openDatabase`.
 */
export function openReadOnlyDatabase(path: string, options: { readonly busyTimeoutMs: number }): Database {
  refuseDirectory(path);
  if (!fs.existsSync(path)) {
    throw new TreelineError(
      'STORE_MISSING',
      `${path} does not exist; check the path, or start the program that writes it`,
    );
  }
  const db = connect(
    path,
    () => new (loadDriver())(path, { readonly: true, fileMustExist: true, timeout: options.busyTimeoutMs }),
  );
  return closedOnError(db, path, () => {
    db.exec('PRAGMA cache_size = -32000; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;');
    const version = storedVersion(db, path);
    if (version === SCHEMA_VERSION) return;
    if (version === 0) {
      // As it also is for the moment in which a program makes it.
      throw new TreelineError(
        'STORE_MISSING',
        `${path} is an empty database, no log store yet; check the path, or start the program that writes it`,
      );
    }
    throw new TreelineError(
      'STORE_UNUSABLE',
      `${path} has schema version ${version}, this version reads ${SCHEMA_VERSION}; open it once for writing to migrate it`,
    );
  });
}

function refuseDirectory(path: string): void {
  if (!fs.statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new TreelineError(
    'DESTINATION_UNUSABLE',
    `${path} is a directory; name the database file, for example ${join(path, 'logs.db')}`,
  );
}

function connect(path: string, open: () => Database): Database {
  try {
    return open();
  } catch (cause) {
    if (cause instanceof TreelineError) throw cause;
    throw new TreelineError(
      'DESTINATION_UNUSABLE',
      `${path} can't be opened: ${messageOf(cause)}; check that the folder exists and may be written, or choose another path`,
      { cause },
    );
  }
}

function closedOnError(db: Database, path: string, prepare: () => void): Database {
  try {
    prepare();
    return db;
  } catch (error) {
    db.close();
    throw isBusy(error) ? error : storeError(error, path);
  }
}

/** SQLite's error about a store as one that names the file and what to do; other errors as they are. */
export function storeError(error: unknown, path: string): unknown {
  if (sqliteCode(error) === undefined) return error;
  if (isBusy(error)) {
    return new TreelineError(
      'TIMEOUT',
      `${path} is being written by another process for too long; try again`,
      {
        cause: error,
      },
    );
  }
  const message = messageOf(error);
  if (isCorrupt(error) && message.includes('not a database')) {
    return new TreelineError(
      'STORE_UNUSABLE',
      `${path} is not a SQLite database; move the file away or choose another path`,
      { cause: error },
    );
  }
  if (sqliteCode(error) === 'SQLITE_FULL') {
    return new TreelineError(
      'DESTINATION_UNUSABLE',
      `${path} can't grow: the disk is full; make room on it`,
      {
        cause: error,
      },
    );
  }
  if (isCorrupt(error)) {
    return new TreelineError(
      'STORE_CORRUPT',
      `${path} is damaged (${message}); move it away with its -wal and -shm files, and save what can be read: sqlite3 ${path} .recover`,
      { cause: error },
    );
  }
  return new TreelineError('STORE_UNUSABLE', `${path} can't be used as a log store: ${message}`, {
    cause: error,
  });
}

/** The schema version of the store in this database, 0 where it is empty. */
function storedVersion(db: Database, path: string): number {
  const tables = db.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
  if (tables.length === 0) return 0;
  if (!tables.includes('logs') || !tables.includes('meta')) {
    throw new TreelineError(
      'STORE_UNUSABLE',
      `${path} is a SQLite database but no log store (it has the tables ${tables.slice(0, 5).join(', ')}); choose another path`,
    );
  }
  const version = Number(
    db.prepare<[], string>("SELECT value FROM meta WHERE key = 'schema_version'").pluck().get(),
  );
  if (!Number.isInteger(version) || version < 1) {
    throw new TreelineError(
      'STORE_UNUSABLE',
      `${path} has no readable schema_version in its table meta; choose another path`,
    );
  }
  if (version > SCHEMA_VERSION) {
    throw new TreelineError(
      'STORE_UNUSABLE',
      `${path} has schema version ${version}, this version knows up to ${SCHEMA_VERSION}; update @treeline/sqlite or choose another path`,
    );
  }
  return version;
}

function migrate(db: Database, path: string): void {
  // Immediate, and the version read again: another process may have made the schema in the meantime.
  db.transaction(() => {
    const from = storedVersion(db, path);
    for (const sql of MIGRATIONS.slice(from)) db.exec(sql);
    const set = db.prepare<[string, string]>('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)');
    set.run('schema_version', String(SCHEMA_VERSION));
    if (from > 0) return;
    set.run('store_id', randomUUID());
    set.run('created_ms', String(Date.now()));
    db.pragma(`application_id = ${APPLICATION_ID}`);
  }).immediate();
}

/**
 * The SQL that makes a store, one entry for each schema version; a store of version n has seen the first n. Published entries are
 * never changed. The same tables and indexes are declared for queries in `schema.ts`; a test compares the two.
 */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE logs (
  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  ref_id TEXT,
  ts INTEGER NOT NULL,
  level INTEGER NOT NULL,
  msg TEXT,
  trace_id TEXT,
  span_id TEXT,
  parent_span_id TEXT,
  payload TEXT NOT NULL
) STRICT;

CREATE TABLE meta (
  key TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE log_counts (
  minute INTEGER NOT NULL,
  level INTEGER NOT NULL,
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (minute, level, source, type)
) STRICT, WITHOUT ROWID;

CREATE INDEX logs_source_type ON logs (source, type, ts);
CREATE INDEX logs_ts ON logs (ts);
CREATE INDEX logs_ref_id ON logs (ts / 3600000, ref_id) WHERE ref_id IS NOT NULL;
CREATE INDEX logs_errors ON logs (ts) WHERE level >= 50;

CREATE TRIGGER logs_no_update BEFORE UPDATE ON logs BEGIN
  SELECT RAISE(ABORT, 'logs is append-only: rows can not be changed');
END;

CREATE TRIGGER logs_no_delete BEFORE DELETE ON logs
WHEN old.id > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'archive_delete_upto'), 0) BEGIN
  SELECT RAISE(ABORT, 'logs is append-only: only rows that the archive holds can be deleted');
END;

-- A row that names its id could replace another. SQLite shows an id that is still to be given as -1.
-- FAIL, since ABORT would make every insert keep a statement journal, which halves the rate.
CREATE TRIGGER logs_no_replace BEFORE INSERT ON logs
WHEN new.id <> -1 BEGIN
  SELECT RAISE(FAIL, 'logs is append-only: ids are given by the store');
END;
`,
];

export const SCHEMA_VERSION: number = MIGRATIONS.length;

/** Marks the file as a log store for `file(1)` and for us: "TRLN". */
export const APPLICATION_ID = 0x54_52_4c_4e;

/** How many combinations of level, source and type a minute counts apart; what is beyond counts with source and type `*`. */
export const MAX_COUNTS_PER_MINUTE = 1000;

export const MS_PER_MINUTE = 60_000;
export const MS_PER_HOUR = 3_600_000;

import { formatBytes, messageOf } from '@treeline/contract';
import { openReadOnlyDatabase, storeError } from './database.ts';
import { fullTextUpto, MAX_UNINDEXED } from './full-text.ts';
import { isCorrupt, type Database } from './driver.ts';
import { indexedFields } from './indexes.ts';
import { MAX_WAL_BYTES, walBytes } from './wal.ts';

/** What costs space and time in a store. */
export interface StoreReport {
  readonly path: string;
  readonly storeId: string;
  readonly schemaVersion: number;
  readonly rows: number;
  /** Absent where there are no rows. */
  readonly firstMs?: number;
  readonly lastMs?: number;
  readonly fileBytes: number;
  readonly walBytes: number;
  /** Within the file, not in use. */
  readonly freeBytes: number;
  /** Tables and indexes, largest first. */
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
  /** Rows by source and type, most frequent first, at most 20. */
  readonly busiest: readonly { readonly source: string; readonly type: string; readonly rows: number }[];
  readonly optionalIndexes: readonly string[];
  /** Rows that the full-text index has not come to; absent where the store has none. */
  readonly fullTextBehind?: number;
  readonly mendedDuplicateKeys: number;
  readonly mendedDeepNesting: number;
  readonly evictedRows: number;
  readonly findings: readonly Finding[];
}

export interface Finding {
  readonly severity: 'note' | 'warning' | 'error';
  /** What is the matter, and what to do. */
  readonly message: string;
}

export interface DoctorOptions {
  /** Also reads every page and checks it: some 200 MB/s. */
  readonly check?: boolean;
}

/** Free pages above this share of a file of some size are worth giving back. */
const FREE_SHARE = 0.25;
const SMALL_BYTES = 64 * 1024 * 1024;

/**
 * Examines a store without changing it. It reads the size of every page: for tools, not for the program that logs.
 *
 * @throws TreelineError as `openLogReader`.
 */
export function examineStore(path: string, { check = false }: DoctorOptions = {}): StoreReport {
  const db = openReadOnlyDatabase(path, { busyTimeoutMs: 5000 });
  try {
    const facts = readFacts(db, path);
    return { ...facts, findings: [...findingsOf(facts), ...(check ? checkPages(db, path) : [])] };
  } catch (error) {
    throw storeError(error, path);
  } finally {
    db.close();
  }
}

type Facts = Omit<StoreReport, 'findings'>;

function readFacts(db: Database, path: string): Facts {
  const pageSize = Number(db.pragma('page_size', { simple: true }));
  const meta = new Map(db.prepare<[], [string, string]>('SELECT key, value FROM meta').raw().all());
  const count = (key: string): number => Number(meta.get(key) ?? 0);
  const [rows = 0, firstMs, lastMs] =
    db
      .prepare<[], [number, number | null, number | null]>(
        'SELECT (SELECT count(*) FROM logs), (SELECT min(ts) FROM logs), (SELECT max(ts) FROM logs)',
      )
      .raw()
      .get() ?? [];
  return {
    path,
    storeId: meta.get('store_id') ?? '',
    schemaVersion: count('schema_version'),
    rows,
    ...(typeof firstMs === 'number' && typeof lastMs === 'number' ? { firstMs, lastMs } : {}),
    fileBytes: Number(db.pragma('page_count', { simple: true })) * pageSize,
    walBytes: walBytes(path),
    freeBytes: Number(db.pragma('freelist_count', { simple: true })) * pageSize,
    parts: db
      .prepare<[], { name: string; bytes: number }>(
        'SELECT name, pgsize AS bytes FROM dbstat WHERE aggregate = TRUE ORDER BY pgsize DESC',
      )
      .all(),
    busiest: db
      .prepare<[], { source: string; type: string; rows: number }>(
        'SELECT source, type, sum(n) AS rows FROM log_counts GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 20',
      )
      .all(),
    optionalIndexes: indexedFields(db),
    ...fullTextOf(db),
    mendedDuplicateKeys: count('mended_duplicate_keys'),
    mendedDeepNesting: count('mended_deep_nesting'),
    evictedRows: count('evicted_rows'),
  };
}

function fullTextOf(db: Database): { fullTextBehind?: number } {
  const upto = fullTextUpto(db);
  if (upto === undefined) return {};
  const behind = db
    .prepare<[number], number>('SELECT count(*) FROM logs NOT INDEXED WHERE id > ?')
    .pluck()
    .get(upto);
  return { fullTextBehind: behind ?? 0 };
}

function findingsOf(facts: Facts): Finding[] {
  const findings: Finding[] = [];
  const find = (severity: Finding['severity'], message: string): void =>
    void findings.push({ severity, message });
  if (facts.walBytes > MAX_WAL_BYTES) {
    find(
      'warning',
      `the write-ahead log has ${formatBytes(facts.walBytes)}: something holds a read transaction open; find it by "lsof ${facts.path}-wal" and end it`,
    );
  }
  if (facts.fileBytes > SMALL_BYTES && facts.freeBytes > facts.fileBytes * FREE_SHARE) {
    find(
      'note',
      `${formatBytes(facts.freeBytes)} of ${formatBytes(facts.fileBytes)} are free within the file and will be used again; to give them back: sqlite3 ${facts.path} "PRAGMA incremental_vacuum"`,
    );
  }
  if (facts.fullTextBehind !== undefined && facts.fullTextBehind > MAX_UNINDEXED) {
    find(
      'warning',
      `the full-text index is behind by ${facts.fullTextBehind} rows, and is not used until it has come up: the transport builds it, with the option fullText`,
    );
  }
  if (facts.evictedRows > 0) {
    find(
      'note',
      `${facts.evictedRows} oldest rows were deleted to keep maxBytes; raise it, or archive before`,
    );
  }
  if (facts.mendedDuplicateKeys > 0) {
    find(
      'note',
      `${facts.mendedDuplicateKeys} lines had a key twice, of which the last is kept: look for a child binding that a call repeats`,
    );
  }
  if (facts.mendedDeepNesting > 0) {
    find('note', `${facts.mendedDeepNesting} lines were nested deeper than 500, which is kept as text`);
  }
  return findings;
}

function checkPages(db: Database, path: string): Finding[] {
  const result = integrityOf(db);
  if (result.length === 1 && result[0] === 'ok') return [];
  const message = `${path} is damaged: ${result.join('; ')}; save what can be read: sqlite3 ${path} .recover`;
  return [{ severity: 'error', message }];
}

function integrityOf(db: Database): string[] {
  try {
    return db.prepare<[], string>('PRAGMA integrity_check(10)').pluck().all();
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    return [messageOf(error)];
  }
}

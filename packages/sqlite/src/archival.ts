import fs from 'node:fs';
import { TreelineError } from '@treeline/contract';
import { ARCHIVED_LINE } from './archived-line.ts';
import type { Place } from './cursor.ts';
import { openDatabase, storeError } from './database.ts';
import { deleteThroughMark } from './deletion.ts';
import type { Database, Statement } from './driver.ts';

export { acquireArchiveLease, type ArchiveLease, type LeaseHolder } from './archive-lease.ts';
export { readArchivedLine, rowOfArchivedLine } from './archived-line.ts';
export { compareRows, compileRowTest, type RowTest } from './row-test.ts';
export { openRestoreTarget, type RestoreTarget } from './restore-target.ts';
export type { Place };

/** Rows that leave a store together. What is written later is never among them: its ids are higher. */
export interface Selection {
  /** Rows before this time, exclusive. */
  readonly cutoffMs: number;
  /** Rows with ids up to this one. */
  readonly maxId: number;
  /** Rows up to and with this place in the order of time, then id. */
  readonly last: Place;
}

/** A run of rows in the order of time, then id, as lines of an archive. */
export interface ArchivePage {
  readonly bytes: Buffer;
  readonly rows: number;
  readonly first: Place;
  readonly last: Place;
  readonly minId: number;
  readonly maxId: number;
  /** Number of rows by level. */
  readonly levels: ReadonlyMap<number, number>;
}

/** A store as an archiver works on it. Every call is one short transaction. */
export interface ArchivalStore {
  readonly storeId: string;
  getMeta(key: string): string | undefined;
  /** Sets several facts in one transaction; undefined removes one. */
  setMeta(entries: MetaEntries): void;
  /** The oldest rows before a time, at most so many; undefined where there is none. */
  select(cutoffMs: number, maxRows: number): (Selection & { readonly first: Place }) | undefined;
  countSelected(selection: Selection): number;
  /** The next rows of a selection behind a place; undefined where none is left. */
  readPage(selection: Selection, after: Place | undefined): ArchivePage | undefined;
  /**
   * Deletes the next rows of a selection and takes them out of the counts; `entries` are set in the transaction that leaves none.
   */
  deletePage(selection: Selection, maxRows: number, entries: MetaEntries): { deleted: number; done: boolean };
  /** Gives free pages back to the file system; returns how many are left. */
  reclaim(maxPages: number): number;
  /** Changes when another connection has committed. */
  dataVersion(): number;
  /** No row gets an id up to this one any more. Returns whether that was news. */
  reserveIds(upTo: number): boolean;
  close(): void;
}

export type MetaEntries = Readonly<Record<string, string | undefined>>;

/** How long a call may wait for another process that writes; an archiver has its own thread or process. */
const BUSY_TIMEOUT_MS = 10_000;

const MAX_PAGE_ROWS = 500;
const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/**
 * Opens a store for its archiver.
 *
 * @throws TreelineError `STORE_MISSING` where there is none.
 */
export function openArchivalStore(path: string): ArchivalStore {
  if (!fs.existsSync(path)) {
    throw new TreelineError(
      'STORE_MISSING',
      `${path} does not exist; check the path, or start the program that writes it`,
    );
  }
  // Opened for writing, it would become a store.
  if (fs.statSync(path).size === 0) {
    throw new TreelineError(
      'STORE_MISSING',
      `${path} is an empty file, no log store; check the path, or start the program that writes it`,
    );
  }
  return new SqliteArchivalStore(openDatabase(path, { busyTimeoutMs: BUSY_TIMEOUT_MS }), path);
}

const SELECTED = 'ts < ? AND id <= ? AND (ts < ? OR (ts = ? AND id <= ?))';

function selectedParams({ cutoffMs, maxId, last }: Selection): number[] {
  return [cutoffMs, maxId, last.ts, last.ts, last.id];
}

const PLACES_OF_PAGE = `
  SELECT ts, id, level, octet_length(payload) FROM logs INDEXED BY logs_ts
  WHERE ts >= ? AND (ts > ? OR id > ?) AND ${SELECTED} ORDER BY ts, id LIMIT ${MAX_PAGE_ROWS}`;

const LINES_OF_PAGE = `
  SELECT count(*) AS rows, min(id) AS minId, max(id) AS maxId, CAST(group_concat(line, '') AS BLOB) AS bytes FROM (
    SELECT id, ${ARCHIVED_LINE} AS line FROM logs INDEXED BY logs_ts
    WHERE id <= ? AND ts >= ? AND (ts > ? OR id >= ?) AND ts <= ? AND (ts < ? OR id <= ?)
    ORDER BY ts, id)`;

class SqliteArchivalStore implements ArchivalStore {
  readonly storeId: string;
  readonly #db: Database;
  readonly #path: string;
  readonly #places: Statement<number[], [ts: number, id: number, level: number, bytes: number]>;
  readonly #lines: Statement<number[], Pick<ArchivePage, 'rows' | 'minId' | 'maxId' | 'bytes'>>;

  constructor(db: Database, path: string) {
    this.#db = db;
    this.#path = path;
    // Prepared once: for pages this small it is a fifth of their cost.
    this.#places = db.prepare<number[], [number, number, number, number]>(PLACES_OF_PAGE).raw();
    this.#lines = db.prepare(LINES_OF_PAGE);
    this.storeId = this.getMeta('store_id') ?? '';
  }

  getMeta(key: string): string | undefined {
    return this.#guarded(() =>
      this.#db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck().get(key),
    );
  }

  setMeta(entries: MetaEntries): void {
    this.#transact(() => this.#setMeta(entries));
  }

  #setMeta(entries: MetaEntries): void {
    const set = this.#db.prepare<[string, string]>('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)');
    const remove = this.#db.prepare<[string]>('DELETE FROM meta WHERE key = ?');
    for (const [key, value] of Object.entries(entries)) {
      if (value === undefined) remove.run(key);
      else set.run(key, value);
    }
  }

  select(cutoffMs: number, maxRows: number): (Selection & { readonly first: Place }) | undefined {
    return this.#guarded(() => {
      const maxId = this.#db.prepare<[], number | null>('SELECT max(id) FROM logs').pluck().get() ?? 0;
      const placeAt = (order: string, offset: number): Place | undefined =>
        this.#db
          .prepare<[number, number, number], Place>(
            `SELECT ts, id FROM logs INDEXED BY logs_ts WHERE ts < ? AND id <= ?
             ORDER BY ts ${order}, id ${order} LIMIT 1 OFFSET ?`,
          )
          .get(cutoffMs, maxId, offset);
      const first = placeAt('ASC', 0);
      const last = placeAt('ASC', maxRows - 1) ?? placeAt('DESC', 0);
      return first && last && { cutoffMs, maxId, first, last };
    });
  }

  countSelected(selection: Selection): number {
    return this.#guarded(
      () =>
        this.#db
          .prepare<number[], number>(`SELECT count(*) FROM logs INDEXED BY logs_ts WHERE ${SELECTED}`)
          .pluck()
          .get(...selectedParams(selection)) ?? 0,
    );
  }

  readPage(selection: Selection, after: Place | undefined): ArchivePage | undefined {
    return this.#guarded(() => this.#db.transaction(() => this.#readPage(selection, after))());
  }

  #readPage(selection: Selection, after: Place | undefined): ArchivePage | undefined {
    const from = after ?? { ts: Number.MIN_SAFE_INTEGER, id: 0 };
    const places = this.#places.all(from.ts, from.ts, from.id, ...selectedParams(selection));
    const levels = new Map<number, number>();
    let bytesLeft = MAX_PAGE_BYTES;
    let first: Place | undefined;
    let last: Place | undefined;
    for (const [ts, id, level, bytes] of places) {
      if (last && bytes > bytesLeft) break;
      bytesLeft -= bytes;
      last = { ts, id };
      first ??= last;
      levels.set(level, (levels.get(level) ?? 0) + 1);
    }
    if (!first || !last) return undefined;
    const lines = this.#lines.get(selection.maxId, first.ts, first.ts, first.id, last.ts, last.ts, last.id);
    return lines && { ...lines, first, last, levels };
  }

  deletePage(
    selection: Selection,
    maxRows: number,
    entries: MetaEntries,
  ): { deleted: number; done: boolean } {
    return this.#transact(() => {
      const ids = this.#db
        .prepare<number[], number>(
          `SELECT id FROM logs INDEXED BY logs_ts WHERE ${SELECTED} ORDER BY ts, id LIMIT ?`,
        )
        .pluck()
        .all(...selectedParams(selection), maxRows + 1);
      const done = ids.length <= maxRows;
      const deleted = ids.length === 0 ? 0 : deleteThroughMark(this.#db, ids.slice(0, maxRows));
      if (done) this.#setMeta(entries);
      return { deleted, done };
    });
  }

  reclaim(maxPages: number): number {
    return this.#guarded(() => {
      // By exec, which steps it to the end: a single step frees one page.
      this.#db.exec(`PRAGMA incremental_vacuum(${maxPages})`);
      return Number(this.#db.pragma('freelist_count', { simple: true }));
    });
  }

  dataVersion(): number {
    return this.#guarded(() => Number(this.#db.pragma('data_version', { simple: true })));
  }

  reserveIds(upTo: number): boolean {
    return this.#transact(() => {
      const given = this.#db
        .prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'logs'")
        .pluck()
        .get();
      if ((given ?? 0) >= upTo) return false;
      const statement =
        given === undefined
          ? "INSERT INTO sqlite_sequence (seq, name) VALUES (?, 'logs')"
          : "UPDATE sqlite_sequence SET seq = ? WHERE name = 'logs'";
      this.#db.prepare<[number]>(statement).run(upTo);
      return true;
    });
  }

  close(): void {
    this.#db.close();
  }

  #transact<T>(work: () => T): T {
    return this.#guarded(() => this.#db.transaction(work).immediate());
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }
}

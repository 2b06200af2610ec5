import { formatBytes, messageOf, type SinkContext } from '@treeline/contract';
import { shrinkStep } from './budget.ts';
import type { Connection } from './connection.ts';
import { isBusy } from './driver.ts';
import { createFullText, indexNextTexts } from './full-text.ts';
import { createIndex, indexedFields } from './indexes.ts';
import type { SqliteOptions } from './options.ts';
import { emptyWal, MAX_WAL_BYTES, RESTART_WAL_BYTES, walBytes } from './wal.ts';

/** Between two steps of work, which last some 20 ms: writing comes first. */
const STEP_INTERVAL_MS = 100;

/** Trying to empty the write-ahead log costs up to 40 ms where a reader is in the way; one that stays there is tried less often. */
const WAL_INTERVAL_MS = 250;
const HELD_WAL_INTERVAL_MS = 5000;

/** An index over fewer rows is made at once, in some 100 ms. */
const MAX_ROWS_TO_INDEX = 50_000;

/** What a store needs beside rows, done between them: the write-ahead log and the file are kept small. */
export class Maintenance {
  readonly #connection: () => Connection;
  readonly #options: SqliteOptions;
  readonly #report: SinkContext['report'];
  #timer: NodeJS.Timeout | undefined;
  #isWalReported = false;
  #isFaultReported = false;
  #walTriedAtMs = -Infinity;
  #evicted = 0;

  constructor(connection: () => Connection, options: SqliteOptions, report: SinkContext['report']) {
    this.#connection = connection;
    this.#options = options;
    this.#report = report;
  }

  createIndexes(): void {
    const { db } = this.#connection();
    const { path, indexes, fullText } = this.#options;
    if (fullText) {
      createFullText(db);
      this.#schedule();
    }
    const present = new Set(indexedFields(db));
    const missing = indexes.filter((field) => !present.has(field));
    if (missing.length === 0) return;
    const rows = db.prepare<[], number>('SELECT coalesce(max(id) - min(id), 0) FROM logs').pluck().get() ?? 0;
    if (rows <= MAX_ROWS_TO_INDEX) {
      for (const field of missing) createIndex(db, field);
      return;
    }
    const reason = `${path} has too many rows for the indexes ${missing.join(', ')} to be made while logging waits; make them by createIndexes(path, fields) of @treeline/sqlite`;
    this.#report({ type: 'warning', reason });
  }

  /** To be called after rows were written. Never throws: they are committed, and must not be offered again. */
  afterWrite(): void {
    try {
      this.#boundWal();
    } catch (error) {
      // Once for each row of failures, and not where it was only another writer's turn.
      if (!isBusy(error) && !this.#isFaultReported) {
        this.#isFaultReported = true;
        const reason = `${this.#options.path}-wal can't be emptied: ${messageOf(error)}`;
        this.#report({ type: 'warning', reason });
      }
    }
    const { maxBytes, fullText } = this.#options;
    if (maxBytes !== undefined || fullText) this.#schedule();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const isMoreToIndex = this.#indexTexts();
      if (this.#shrink() || isMoreToIndex) this.#schedule();
    }, STEP_INTERVAL_MS).unref();
  }

  /** Returns whether there is more to do. */
  #indexTexts(): boolean {
    const { path, fullText } = this.#options;
    if (!fullText) return false;
    try {
      return indexNextTexts(this.#connection().db);
    } catch (error) {
      if (isBusy(error)) return true;
      this.#report({
        type: 'warning',
        reason: `${path}: the full-text index can't be built: ${messageOf(error)}`,
      });
    }
    return false;
  }

  /** Returns whether there is more to do. */
  #shrink(): boolean {
    const { path, maxBytes } = this.#options;
    if (maxBytes === undefined) return false;
    const { db } = this.#connection();
    try {
      const deleted = shrinkStep(db, path, maxBytes);
      this.#evicted += deleted ?? 0;
      if (deleted !== undefined) return true;
      if (this.#evicted > 0) {
        const reason = `${path} was over maxBytes (${formatBytes(maxBytes)}): its oldest rows were deleted`;
        this.#report({ type: 'warning', reason, count: this.#evicted });
        this.#evicted = 0;
      }
    } catch (error) {
      if (isBusy(error)) return true;
      this.#report({ type: 'warning', reason: `${path} can't be kept within maxBytes: ${messageOf(error)}` });
    }
    return false;
  }

  #boundWal(): void {
    const nowMs = performance.now();
    const intervalMs = this.#isWalReported ? HELD_WAL_INTERVAL_MS : WAL_INTERVAL_MS;
    if (nowMs - this.#walTriedAtMs < intervalMs) return;
    const { path } = this.#options;
    if (walBytes(path) < RESTART_WAL_BYTES) return;
    this.#walTriedAtMs = nowMs;
    const bytes = emptyWal(this.#connection().db, path);
    this.#isFaultReported = false;
    const isGrown = bytes > MAX_WAL_BYTES;
    if (isGrown && !this.#isWalReported) {
      const reason = `${path}-wal has grown to ${formatBytes(bytes)}: something holds a read transaction open; "treeline doctor" tells more`;
      this.#report({ type: 'warning', reason });
    }
    this.#isWalReported = isGrown;
  }
}

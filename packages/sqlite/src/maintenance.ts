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

/** Where a store is this share of `maxBytes` beyond it, steps follow each other at once but for a pause that lets others write. */
const LARGE_EXCESS = 0.05;
const PRESSED_STEP_INTERVAL_MS = 5;

/** Trying to empty the write-ahead log costs up to 40 ms where a reader is in the way; one that stays there is tried less often. */
const WAL_INTERVAL_MS = 250;
const HELD_WAL_INTERVAL_MS = 5000;

/** Under load rows are deleted all the time; they are told of no more often than this, and when the store is closed. */
const EVICTION_REPORT_INTERVAL_MS = 10_000;

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
  #evictionToldAtMs = -Infinity;
  /** Of the last step, in shares of `maxBytes`. */
  #excess = 0;

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
    this.#tellEvicted();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        const isMoreToIndex = this.#indexTexts();
        if (this.#shrink() || isMoreToIndex) this.#schedule();
      },
      this.#excess > LARGE_EXCESS ? PRESSED_STEP_INTERVAL_MS : STEP_INTERVAL_MS,
    ).unref();
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
      const step = shrinkStep(db, path, maxBytes);
      this.#evicted += step?.deleted ?? 0;
      this.#excess = step?.excess ?? 0;
      if (step) return true;
      if (performance.now() - this.#evictionToldAtMs > EVICTION_REPORT_INTERVAL_MS) this.#tellEvicted();
    } catch (error) {
      if (isBusy(error)) return true;
      this.#report({ type: 'warning', reason: `${path} can't be kept within maxBytes: ${messageOf(error)}` });
    }
    return false;
  }

  #tellEvicted(): void {
    const { path, maxBytes = 0 } = this.#options;
    if (this.#evicted === 0) return;
    const reason = `${path} was over maxBytes (${formatBytes(maxBytes)}): its oldest rows were deleted`;
    this.#report({ type: 'warning', reason, count: this.#evicted });
    this.#evicted = 0;
    this.#evictionToldAtMs = performance.now();
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

import { isMainThread } from 'node:worker_threads';
import {
  messageOf,
  TreelineError,
  type Batch,
  type Sink,
  type SinkContext,
  type SinkEvent,
  type WriteResult,
} from '@treeline/contract';
import { connect, setAside, sleep, untilFree, type Connection } from './connection.ts';
import { storeError } from './database.ts';
import { isCorrupt, sqliteCode } from './driver.ts';
import { Maintenance } from './maintenance.ts';
import { rowOfLine } from './new-row.ts';
import type { SqliteOptions } from './options.ts';

import { positionKey, readPosition } from './writer.ts';

/** A transaction's length where others want to write, or where the thread is the program's own. */
const SHARED_TRANSACTION_MS = 20;

/** A transaction's length in a thread of its own: longer ones write fewer pages twice. */
const ALONE_TRANSACTION_MS = 200;

/** The pause that lets a writer of another process begin: those wait by polling. */
const PAUSE_MS = 3;

/** A writer that committed within this time counts as one that waits. */
const CONTENTION_MS = 10_000;

/** Logs of processes that ended so long ago are not offered again. */
const POSITION_AGE_MS = 90 * 86_400_000;

/** A second damaged store within this time is the disk's fault: a third file would not help. */
const SET_ASIDE_INTERVAL_MS = 60_000;

export async function openSqliteSink(options: SqliteOptions, context: SinkContext): Promise<Sink> {
  const { path, synchronous } = options;
  let connection: Connection;
  try {
    connection = await connect(path, synchronous);
  } catch (error) {
    if (!(error instanceof TreelineError && error.code === 'STORE_CORRUPT')) throw error;
    reportSetAside(context, path, setAside(path, new Date()), error);
    connection = await connect(path, synchronous);
  }
  const sink = new SqliteSink(connection, options, context);
  await sink.prepare();
  return sink;
}

/** Lines that SQLite refused for good, by index, with the reason. */
type Refusals = Map<number, string>;

class SqliteSink implements Sink {
  readonly #options: SqliteOptions;
  readonly #context: SinkContext;
  /** What this sink has settled, by log: a store that takes the place of a damaged one must know it too. */
  readonly #settled = new Map<string, number>();
  readonly #maintenance: Maintenance;
  #connection: Connection;
  #seenVersion: number;
  #contendedAtMs = -Infinity;
  #setAsideAtMs = -Infinity;
  #isClosed = false;

  constructor(connection: Connection, options: SqliteOptions, context: SinkContext) {
    this.#connection = connection;
    this.#options = options;
    this.#context = context;
    this.#seenVersion = connection.dataVersion();
    this.#maintenance = new Maintenance(
      () => this.#connection,
      options,
      (event) => context.report(event),
    );
  }

  /** What takes the write lock before the first batch. */
  async prepare(): Promise<void> {
    await untilFree(() => {
      this.#maintenance.createIndexes();
      this.#connection.writer.forgetPositions(Date.now() - POSITION_AGE_MS);
    });
  }

  async write(batch: Batch): Promise<WriteResult | void> {
    if (this.#isClosed) throw new TreelineError('CLOSED', `${this.#options.path} is closed`);
    const refused: Refusals = new Map();
    let next = 0;
    try {
      if (!this.#connection.isCurrent()) await this.#reopen('was moved or deleted; a new one was made');
      next = this.#firstUnsettled(batch);
      while (next < batch.count) next = await this.#writeSome(batch, next, refused);
    } catch (error) {
      this.#connection.writer.rollback();
      if (sqliteCode(error) === 'SQLITE_FULL') this.#report('full', messageOf(error));
      // What an earlier transaction of this batch has committed must not be offered again.
      if (next === 0) throw storeError(error, this.#options.path);
      this.#report('warning', messageOf(error));
      return { retry: range(next, batch.count), dead: refusalsBefore(refused, next) };
    }
    this.#maintenance.afterWrite();
    return refused.size > 0 ? { dead: refusalsBefore(refused, batch.count) } : undefined;
  }

  async flush(): Promise<void> {
    // A resolved write is committed; there is nothing behind it.
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#maintenance.stop();
    this.#connection.db.close();
  }

  settledSeq(logId: string): number | undefined {
    const key = positionKey(this.#context.streamName, logId);
    return this.#settled.get(logId) ?? readPosition(this.#connection.writer.readMeta(key));
  }

  #firstUnsettled(batch: Batch): number {
    const settled = batch.position && this.settledSeq(batch.position.logId);
    let first = 0;
    if (settled !== undefined) while (first < batch.count && batch.seq(first) <= settled) first++;
    return first;
  }

  async #writeSome(batch: Batch, from: number, refused: Refusals): Promise<number> {
    const beganMs = performance.now();
    try {
      let isDown = false;
      const next = await untilFree(
        () => this.#writeTransaction(batch, from, refused),
        () => {
          isDown = true;
          this.#report(
            'down',
            'another process holds its write lock; writing is tried again until it lets go',
          );
        },
      );
      if (isDown) this.#report('recovered', 'the write lock was let go');
      if (performance.now() - beganMs > SHARED_TRANSACTION_MS) await sleep(PAUSE_MS);
      return next;
    } catch (error) {
      if (!isCorrupt(error) || beganMs - this.#setAsideAtMs < SET_ASIDE_INTERVAL_MS) throw error;
      this.#setAsideAtMs = beganMs;
      await this.#replace(error);
      return from;
    }
  }

  /**
   * Writes lines from `from` on and commits; returns the index of the first line that is left for another transaction. No task of
   * this thread runs within a transaction: one that opened the store too would wait for it for ever.
   */
  #writeTransaction(batch: Batch, from: number, refused: Refusals): number {
    const { writer, dataVersion } = this.#connection;
    writer.begin();
    const arrivalMs = Date.now();
    const beganMs = performance.now();
    const maxMs = isMainThread || this.#isContended() ? SHARED_TRANSACTION_MS : ALONE_TRANSACTION_MS;
    let index = from;
    while (index < batch.count) {
      if (!refused.has(index)) this.#insertLine(batch, index, arrivalMs, refused);
      // A trigger of the user's may roll everything back: the refused line is left out the second time.
      if (!writer.inTransaction) return from;
      index++;
      if (index % 64 === 0 && performance.now() - beganMs > maxMs) break;
    }
    const settled = batch.position && index < batch.count ? batch.seq(index) - 1 : batch.position?.seq;
    if (batch.position && settled !== undefined) {
      writer.setPosition(positionKey(this.#context.streamName, batch.position.logId), settled);
    }
    writer.commit();
    if (batch.position && settled !== undefined) this.#settled.set(batch.position.logId, settled);
    this.#seenVersion = dataVersion();
    return index;
  }

  #insertLine(batch: Batch, index: number, arrivalMs: number, refused: Refusals): void {
    try {
      this.#connection.writer.insert(rowOfLine(batch.line(index), arrivalMs));
    } catch (error) {
      if (!isRowError(error)) throw error;
      refused.set(index, messageOf(error));
    }
  }

  #isContended(): boolean {
    if (this.#connection.dataVersion() !== this.#seenVersion) this.#contendedAtMs = performance.now();
    return performance.now() - this.#contendedAtMs < CONTENTION_MS;
  }

  /** Goes on in a new file where this one is damaged. Another process may have done so already: then its new file is joined. */
  async #replace(error: unknown): Promise<void> {
    const { path } = this.#options;
    const isMine = this.#connection.isCurrent();
    this.#connection.db.close();
    if (isMine) reportSetAside(this.#context, path, setAside(path, new Date()), error);
    await this.#reopen('was damaged; writing goes on in a new one');
  }

  async #reopen(reason: string): Promise<void> {
    const { path, synchronous } = this.#options;
    this.#connection.db.close();
    this.#connection = await connect(path, synchronous);
    this.#seenVersion = this.#connection.dataVersion();
    const { writer } = this.#connection;
    await untilFree(() => {
      writer.begin();
      for (const [logId, seq] of this.#settled) {
        writer.setPosition(positionKey(this.#context.streamName, logId), seq);
      }
      writer.commit();
    });
    await this.prepare();
    this.#context.report({ type: 'warning', reason: `${path} ${reason}` });
  }

  #report(type: SinkEvent['type'], reason: string): void {
    this.#context.report({ type, reason: `${this.#options.path}: ${reason}` });
  }
}

function reportSetAside(context: SinkContext, path: string, target: string, error: unknown): void {
  const reason = `${path} is damaged (${messageOf(error)}) and was moved to ${target}; what can be read is saved by: sqlite3 ${target} .recover`;
  context.report({ type: 'warning', reason });
}

/** Errors that concern one row alone: the others go on without it. */
function isRowError(error: unknown): boolean {
  const code = sqliteCode(error);
  // better-sqlite3 throws a RangeError for a text that is too long to be bound.
  return code === undefined ? error instanceof RangeError : /^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH)/.test(code);
}

function refusalsBefore(refused: Refusals, end: number): { index: number; reason: string }[] {
  return Array.from(refused, ([index, reason]) => ({ index, reason })).filter(({ index }) => index < end);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

import { isMainThread } from 'node:worker_threads';
import {
  messageOf,
  TreelineError,
  type Batch,
  type Sink,
  type SinkContext,
  type WriteResult,
} from '@treeline/contract';
import { deriveColumns } from './columns.ts';
import { openDatabase } from './database.ts';
import { isBusy, sqliteCode, type Database } from './driver.ts';
import type { SqliteOptions } from './options.ts';
import { payloadOf } from './payload.ts';
import { LogWriter, positionKey, readPosition } from './writer.ts';

/** SQLite may block the thread this long for another writer; waiting longer is done by timer. */
const BUSY_TIMEOUT_MS = 5;

/** A transaction's length where others want to write, or where the thread is the program's own. */
const SHARED_TRANSACTION_MS = 20;

/** A transaction's length in a thread of its own: longer ones write fewer pages twice. */
const ALONE_TRANSACTION_MS = 200;

/** The pause that lets a writer of another process begin: those wait by polling. */
const PAUSE_MS = 3;

/** A writer that committed within this time counts as one that waits. */
const CONTENTION_MS = 10_000;

export async function openSqliteSink(options: SqliteOptions, context: SinkContext): Promise<Sink> {
  const open = (): Database =>
    openDatabase(options.path, { busyTimeoutMs: BUSY_TIMEOUT_MS, synchronous: options.synchronous });
  return new SqliteSink(await untilFree(open), context);
}

/** Lines that SQLite refused for good, by index, with the reason. */
type Refusals = Map<number, string>;

class SqliteSink implements Sink {
  readonly #db: Database;
  readonly #context: SinkContext;
  readonly #writer: LogWriter;
  readonly #dataVersion: () => number;
  #seenVersion: number;
  #contendedAtMs = -Infinity;

  constructor(db: Database, context: SinkContext) {
    this.#db = db;
    this.#context = context;
    this.#writer = new LogWriter(db);
    const dataVersion = db.prepare<[], number>('PRAGMA data_version').pluck();
    this.#dataVersion = () => dataVersion.get() ?? 0;
    this.#seenVersion = this.#dataVersion();
  }

  async write(batch: Batch): Promise<WriteResult | void> {
    if (!this.#db.open) throw new TreelineError('CLOSED', 'the store is closed');
    const refused: Refusals = new Map();
    let next = this.#firstUnsettled(batch);
    try {
      while (next < batch.count) {
        const beganMs = performance.now();
        next = await untilFree(() => this.#writeTransaction(batch, next, refused));
        if (performance.now() - beganMs > SHARED_TRANSACTION_MS) await sleep(PAUSE_MS);
      }
    } catch (error) {
      this.#writer.rollback();
      const fault = this.#fault(error);
      // What an earlier transaction of this batch has committed must not be offered again.
      if (next === 0) throw fault;
      this.#context.report({ type: 'warning', reason: messageOf(fault) });
      return { retry: range(next, batch.count), dead: deadBefore(refused, next) };
    }
    return refused.size > 0 ? { dead: deadBefore(refused, batch.count) } : undefined;
  }

  async flush(): Promise<void> {
    // A resolved write is committed; there is nothing behind it.
  }

  async close(): Promise<void> {
    if (!this.#db.open) return;
    this.#db.exec('PRAGMA optimize');
    this.#db.close();
  }

  settledSeq(logId: string): number | undefined {
    const value = this.#db
      .prepare<[string], string>('SELECT value FROM meta WHERE key = ?')
      .pluck()
      .get(positionKey(this.#context.streamName, logId));
    return readPosition(value);
  }

  #firstUnsettled(batch: Batch): number {
    const settled = batch.position && this.settledSeq(batch.position.logId);
    let first = 0;
    if (settled !== undefined) while (first < batch.count && batch.seq(first) <= settled) first++;
    return first;
  }

  /**
   * Writes lines from `from` on and commits; returns the index of the first line that is left for another transaction. No task of this
   * thread runs within a transaction: one that opened the store too would wait for it for ever.
   */
  #writeTransaction(batch: Batch, from: number, refused: Refusals): number {
    this.#writer.begin();
    const arrivalMs = Date.now();
    const beganMs = performance.now();
    const maxMs = isMainThread || this.#isContended() ? SHARED_TRANSACTION_MS : ALONE_TRANSACTION_MS;
    let index = from;
    while (index < batch.count) {
      if (!refused.has(index)) this.#insertLine(batch, index, arrivalMs, refused);
      // A trigger of the user's may roll everything back: the refused line is left out the second time.
      if (!this.#writer.inTransaction) return from;
      index++;
      if (index % 64 === 0 && performance.now() - beganMs > maxMs) break;
    }
    this.#writer.commit(this.#positionAt(batch, index));
    this.#seenVersion = this.#dataVersion();
    return index;
  }

  #insertLine(batch: Batch, index: number, arrivalMs: number, refused: Refusals): void {
    try {
      const payload = payloadOf(batch.line(index));
      this.#writer.insert(deriveColumns(payload.record, arrivalMs), payload);
    } catch (error) {
      if (!isRowError(error)) throw error;
      refused.set(index, messageOf(error));
    }
  }

  #positionAt(batch: Batch, next: number): { key: string; seq: number } | undefined {
    if (!batch.position) return undefined;
    const { logId, seq } = batch.position;
    return {
      key: positionKey(this.#context.streamName, logId),
      seq: next < batch.count ? batch.seq(next) - 1 : seq,
    };
  }

  #isContended(): boolean {
    if (this.#dataVersion() !== this.#seenVersion) this.#contendedAtMs = performance.now();
    return performance.now() - this.#contendedAtMs < CONTENTION_MS;
  }

  #fault(error: unknown): unknown {
    const code = sqliteCode(error);
    if (code === 'SQLITE_FULL') this.#context.report({ type: 'full', reason: messageOf(error) });
    return error;
  }
}

/** Errors that concern one row alone: the others go on without it. */
function isRowError(error: unknown): boolean {
  const code = sqliteCode(error);
  // better-sqlite3 throws a RangeError for a text that is too long to be bound.
  return code === undefined ? error instanceof RangeError : /^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH)/.test(code);
}

function deadBefore(refused: Refusals, end: number): { index: number; reason: string }[] {
  return Array.from(refused, ([index, reason]) => ({ index, reason })).filter(({ index }) => index < end);
}

/** Tries again by timer while another process writes: the thread stays free. */
async function untilFree<T>(attempt: () => T): Promise<T> {
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
    await sleep(1 + Math.random() * 8);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

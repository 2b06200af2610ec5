import type { BatchPosition } from '@treeline/contract';
import { COLUMN_NAMES, type ColumnValues } from './columns.ts';
import type { Database, Statement } from './driver.ts';
import type { NewRow } from './new-row.ts';
import { Rollup } from './rollup.ts';

type InsertParams = [...ColumnValues, payload: Buffer | string];

/** Writes rows and what belongs to them (counts, position) in transactions of one connection. */
export class LogWriter {
  readonly #db: Database;
  readonly #insert: Statement<InsertParams>;
  readonly #getMeta: Statement<[string], string>;
  readonly #setMeta: Statement<[string, string]>;
  readonly #addMeta: Statement<[string, string]>;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;
  readonly #rollup: Rollup;
  readonly #mended = { duplicate_keys: 0, deep_nesting: 0 };

  constructor(db: Database) {
    this.#db = db;
    // The cast lets bytes be bound as they are: they are text already.
    const values = COLUMN_NAMES.map((name) => (name === 'payload' ? 'CAST(? AS TEXT)' : '?'));
    this.#insert = db.prepare(
      `INSERT OR FAIL INTO logs (${COLUMN_NAMES.join(', ')}) VALUES (${values.join(', ')})`,
    );
    this.#getMeta = db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck();
    this.#setMeta = db.prepare(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    );
    this.#addMeta = db.prepare(
      `INSERT INTO meta (key, value) VALUES (?, ?)
       ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + CAST(excluded.value AS INTEGER)`,
    );
    // Immediate: a transaction that becomes a writer's later fails on any other writer without waiting.
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#rollback = db.prepare('ROLLBACK');
    this.#rollup = new Rollup(db);
  }

  readMeta(key: string): string | undefined {
    return this.#getMeta.get(key);
  }

  setMeta(key: string, value: string): void {
    this.#setMeta.run(key, value);
  }

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  begin(): void {
    this.#begin.run();
  }

  /** Returns the id of the new row. A row that SQLite refuses leaves the transaction as it was. */
  insert({ columns, payload, mended }: NewRow): number {
    const { lastInsertRowid } = this.#insert.run(
      columns.source,
      columns.type,
      columns.refId,
      columns.ts,
      columns.level,
      columns.msg,
      columns.traceId,
      columns.spanId,
      columns.parentSpanId,
      payload,
    );
    this.#rollup.count(columns);
    if (mended) this.#mended[mended]++;
    return Number(lastInsertRowid);
  }

  /** Stores a stream's place in a log with the rows of the open transaction. */
  setPosition(key: string, seq: number): void {
    this.setMeta(key, `${seq} ${Date.now()}`);
  }

  /** Drops the places in logs that nobody has written from since a time. */
  forgetPositions(beforeMs: number): void {
    this.#db
      .prepare(
        `DELETE FROM meta WHERE key LIKE 'position:%' AND CAST(substr(value, instr(value, ' ') + 1) AS INTEGER) < ?`,
      )
      .run(beforeMs);
  }

  commit(): void {
    this.#rollup.write();
    for (const [kind, count] of Object.entries(this.#mended)) {
      // As text: better-sqlite3 binds numbers as doubles, which would read `4.0`.
      if (count > 0) this.#addMeta.run(`mended_${kind}`, String(count));
    }
    this.#commit.run();
    this.#forget();
  }

  /** Undoes the open transaction; no error where SQLite has undone it by itself. */
  rollback(): void {
    this.#forget();
    if (this.#db.inTransaction) this.#rollback.run();
  }

  #forget(): void {
    this.#rollup.clear();
    this.#mended.duplicate_keys = 0;
    this.#mended.deep_nesting = 0;
  }
}

/** The meta key of a stream's place in a log. */
export function positionKey(streamName: string, logId: BatchPosition['logId']): string {
  return `position:${streamName}:${logId}`;
}

/** The sequence number in a position's value (`<seq> <unix ms>`). */
export function readPosition(value: string | undefined): number | undefined {
  const seq = value === undefined ? Number.NaN : Number.parseInt(value, 10);
  return Number.isSafeInteger(seq) ? seq : undefined;
}

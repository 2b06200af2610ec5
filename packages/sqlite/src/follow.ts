import { setTimeout as sleep } from 'node:timers/promises';
import fs from 'node:fs';
import { parseCursor } from './cursor.ts';
import { openReadOnlyDatabase } from './database.ts';
import type { Database } from './driver.ts';
import { useTests } from './filter-tests.ts';
import { checkQuery, type LogQuery } from './log-query.ts';
import { conditionsOf } from './plan.ts';
import { ROW_COLUMNS, toLogRow, type LogRow, type RawRow } from './row.ts';
import { allOf, sql } from './sql.ts';

export interface FollowOptions extends Omit<LogQuery, 'limit' | 'cursor' | 'order' | 'timeoutMs'> {
  /** Begins behind the row with this cursor; without it with the next row that is written. */
  readonly after?: string;
  /** How often to look. @default 250 */
  readonly pollMs?: number;
  /** Ends the following. */
  readonly signal?: AbortSignal;
}

/** A store that takes another's place may be empty for a moment; one that stays unreadable for so long is an error. */
const REPLACEMENT_WAIT_MS = 10_000;

const DEFAULT_POLL_MS = 250;
const PAGE_ROWS = 1000;

/**
 * Rows as they are written, in the order of writing: for tools. It looks at SQLite's data version and reads in short statements, so it
 * never keeps the write-ahead log from being emptied. A store that was replaced by a new one is followed from the new one's beginning.
 */
export async function* followLogs(
  path: string,
  { after, pollMs = DEFAULT_POLL_MS, signal, ...query }: FollowOptions = {},
): AsyncGenerator<LogRow, void> {
  const checked = checkQuery(query);
  const conditions = conditionsOf(checked);
  let db = openReadOnlyDatabase(path, { busyTimeoutMs: 50 });
  try {
    let file = fileOf(path);
    let lastId = after === undefined ? newestId(db) : parseCursor(after).id;
    let seenVersion: number | undefined;
    let unreadableSinceMs: number | undefined;
    while (!isEnded(signal)) {
      const version = db.prepare<[], number>('PRAGMA data_version').pluck().get();
      if (version !== seenVersion) {
        seenVersion = version;
        const newest = newestId(db);
        while (lastId < newest && !isEnded(signal)) {
          const upTo = Math.min(newest, lastId + 50 * PAGE_ROWS);
          useTests(db, checked.filter?.tests ?? []);
          const rows = rowsBetween(db, lastId, upTo, conditions);
          yield* rows;
          lastId = rows.length === PAGE_ROWS ? (rows.at(-1)?.id ?? upTo) : upTo;
        }
      }
      await pause(pollMs, signal);
      const current = fileOf(path);
      if (current === file || current === undefined) continue;
      let next: Database;
      try {
        next = openReadOnlyDatabase(path, { busyTimeoutMs: 50 });
      } catch (error) {
        unreadableSinceMs ??= performance.now();
        if (performance.now() - unreadableSinceMs > REPLACEMENT_WAIT_MS) throw error;
        continue;
      }
      unreadableSinceMs = undefined;
      db.close();
      db = next;
      file = current;
      lastId = 0;
      seenVersion = undefined;
    }
  } finally {
    db.close();
  }
}

function isEnded(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function newestId(db: Database): number {
  return db.prepare<[], number>('SELECT coalesce(max(id), 0) FROM logs').pluck().get() ?? 0;
}

function rowsBetween(
  db: Database,
  lastId: number,
  upTo: number,
  conditions: Parameters<typeof allOf>[0],
): LogRow[] {
  const { text, params } = allOf([sql('id > ? AND id <= ?', lastId, upTo), ...conditions]);
  return db
    .prepare<unknown[], RawRow>(
      `SELECT ${ROW_COLUMNS} FROM logs NOT INDEXED WHERE ${text} ORDER BY id LIMIT ${PAGE_ROWS}`,
    )
    .raw()
    .all(...params)
    .map(toLogRow);
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

function fileOf(path: string): number | undefined {
  return fs.statSync(path, { throwIfNoEntry: false })?.ino;
}

import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createBatch } from '@treeline/contract';
import {
  lines,
  skippedCases,
  testSource,
  testTransport,
  type TransportUnderTest,
} from '@treeline/contract/testing';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, describe, expect, test } from 'vitest';
import transport, { openLogReader, openLogSource, openLogStore, type SqliteOptions } from './index.ts';
import { openSqliteSink } from './sink.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
let files = 0;

const pathOf = (options: unknown): string => (options as { path: string }).path;

/** Another connection that holds the write lock. */
const stalling = new Map<string, BetterSqlite3.Database>();

function change(path: string, sql: string): void {
  const db = new BetterSqlite3(path);
  db.exec(sql);
  db.close();
}

const under: TransportUnderTest<SqliteOptions> = {
  transport,
  fresh() {
    const path = join(folder, `${files++}.db`);
    openLogStore(path).close();
    change(
      path,
      "CREATE TRIGGER refusing BEFORE INSERT ON logs WHEN new.msg = 'refused' BEGIN SELECT RAISE(FAIL, 'refused'); END",
    );
    return { path };
  },
  read(options) {
    const reader = openLogReader(pathOf(options));
    const records = [...reader.iterate()].toSorted((a, b) => a.id - b.id).map((row) => row.record);
    reader.close();
    return records;
  },
  unusable: () => ({ path: folder }),
  break: (options) => change(pathOf(options), 'ALTER TABLE log_counts RENAME TO log_counts_away'),
  mend: (options) => change(pathOf(options), 'ALTER TABLE log_counts_away RENAME TO log_counts'),
  stall(options) {
    const db = new BetterSqlite3(pathOf(options));
    db.exec('BEGIN IMMEDIATE');
    stalling.set(pathOf(options), db);
  },
  resume: (options) => void stalling.get(pathOf(options))?.close(),
  refused: () => ({ level: 30, time: 1_760_000_000_000, msg: 'refused' }),
  storesPosition: true,
};

describe('the sqlite transport', () => {
  for (const { name, run } of testTransport(under)) test(name, { timeout: 30_000 }, run);

  test('leaves no case out', () => {
    expect(skippedCases(under)).toEqual([]);
  });
});

describe('a store as a source', () => {
  const cases = testSource({
    async open(records) {
      const path = join(folder, `${files++}.db`);
      const sink = await openSqliteSink(
        { path, synchronous: 'normal', indexes: [], fullText: false },
        { streamName: 'store', report: () => undefined },
      );
      if (records.length > 0) await sink.write(createBatch(lines(records)));
      await sink.close();
      return openLogSource(path);
    },
  });
  for (const { name, run } of cases) test(name, run);
});

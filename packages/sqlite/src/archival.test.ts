import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import {
  acquireArchiveLease,
  compileRowTest,
  openArchivalStore,
  openRestoreTarget,
  rowOfArchivedLine,
  type ArchivalStore,
} from './archival.ts';
import type { LogEntry } from './entry.ts';
import type { LogQuery } from './log-query.ts';
import { openLogReader, openLogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-archival-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

let files = 0;
let path = '';
beforeEach(() => {
  path = join(folder, `${files++}.db`);
});

const DAY_MS = 86_400_000;

function fill(entries: LogEntry[]): void {
  const store = openLogStore(path);
  store.append(entries);
  store.close();
}

/** Rows in no order of time, over a day either side of the epoch and today's. */
function mixedEntries(count: number): LogEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    source: `s${index % 3}`,
    type: index % 5 === 0 ? 'job' : 'log',
    level: index % 7 === 0 ? 50 : 30,
    ts: ((index * 7919) % 1000) * 1000 - 500_000,
    msg: `m${index}`,
    payload: { index },
  }));
}

function linesOf(store: ArchivalStore, cutoffMs: number): string[] {
  const selection = store.select(cutoffMs, 1e9);
  const lines: string[] = [];
  if (!selection) return lines;
  for (let page = store.readPage(selection, undefined); page; page = store.readPage(selection, page.last)) {
    const of = page.bytes.toString().split('\n').slice(0, -1);
    expect(of).toHaveLength(page.rows);
    lines.push(...of);
  }
  return lines;
}

describe('archived lines', () => {
  const AWKWARD: LogEntry[] = [
    { source: 'a\u0000b', msg: 'nul \u0000 in it', ts: 1 },
    { source: 'ü😀', type: ',"payload":', refId: '"}', msg: ',"payload":{"x":1}', ts: 2 },
    {
      source: '\\"',
      msg: 'line\nfeed\r\n\u2028',
      ts: 3,
      payload: { payload: { payload_text: ',"payload_text":' } },
    },
    {
      source: 'a',
      ts: -5,
      level: 47,
      traceId: 'a'.repeat(32),
      spanId: 'b'.repeat(16),
      parentSpanId: 'c'.repeat(16),
    },
    { source: 'a', ts: 8.64e15 - 1, payload: { big: 2 ** 60, deep: [[[1.5e-300]]], '': null } },
  ];

  test('hold a row so that it comes back as the store gave it', () => {
    fill(AWKWARD);
    const reader = openLogReader(path);
    const rows = [...reader.iterate({ order: 'asc' })];
    reader.close();
    const store = openArchivalStore(path);
    expect(linesOf(store, 8.64e15).map(rowOfArchivedLine)).toEqual(rows);
    store.close();
  });

  test('are JSON, one object a line', () => {
    fill(AWKWARD);
    const store = openArchivalStore(path);
    const [first] = linesOf(store, 8.64e15).map((line): unknown => JSON.parse(line));
    expect(first).toMatchObject({
      id: 4,
      ts: -5,
      level: 47,
      source: 'a',
      type: 'log',
      payload: { level: 47 },
    });
    store.close();
  });

  test('hold payloads of other programs that no line could hold', () => {
    fill([]);
    const db = new BetterSqlite3(path);
    const insert = db.prepare(
      "INSERT INTO logs (source, type, ts, level, payload) VALUES ('x', 'log', ?, 30, ?)",
    );
    const payloads = ['{\n  "pretty": true\n}', 'no json', '"text"', ''];
    payloads.forEach((payload, index) => insert.run(index, payload));
    db.close();
    const store = openArchivalStore(path);
    expect(linesOf(store, 100).map((line) => rowOfArchivedLine(line).line)).toEqual(payloads);
    store.close();
  });
});

describe('openArchivalStore', () => {
  test('refuses a store that does not exist, and makes none', () => {
    expect(() => openArchivalStore(path)).toThrow(expect.objectContaining({ code: 'STORE_MISSING' }));
    expect(fs.existsSync(path)).toBe(false);
  });

  test('selects by time and id, in order, and never what is written later', () => {
    fill(mixedEntries(2000));
    const store = openArchivalStore(path);
    const selection = store.select(0, 1e9);
    fill([{ source: 'late', ts: -400_000 }]);
    const ids: number[] = [];
    const times: number[] = [];
    if (!selection) throw new Error('nothing selected');
    for (let page = store.readPage(selection, undefined); page; page = store.readPage(selection, page.last)) {
      for (const line of page.bytes.toString().split('\n').slice(0, -1)) {
        const row = rowOfArchivedLine(line);
        ids.push(row.id);
        times.push(row.ts);
      }
    }
    expect(ids).toHaveLength(1000);
    expect(ids).not.toContain(2001);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).toBeLessThan(0);
    expect(store.countSelected(selection)).toBe(1000);
    store.close();
  });

  test('takes at most so many rows at a time, the oldest first', () => {
    fill(mixedEntries(1000));
    const store = openArchivalStore(path);
    const selection = store.select(DAY_MS, 100);
    expect(selection && store.countSelected(selection)).toBe(100);
    expect(selection?.first.ts).toBe(-500_000);
    expect(selection?.last.ts).toBe(-401_000);
    store.close();
  });

  test('bounds a page by bytes', () => {
    fill(
      Array.from({ length: 6 }, (_, ts) => ({ source: 'large', ts, payload: { text: 'x'.repeat(900_000) } })),
    );
    const store = openArchivalStore(path);
    const selection = store.select(DAY_MS, 100);
    const page = selection && store.readPage(selection, undefined);
    expect(page?.rows).toBe(2);
    store.close();
  });

  test('deletes rows with their counts, and sets facts in the transaction of the last delete alone', () => {
    fill(mixedEntries(2000));
    const store = openArchivalStore(path);
    const selection = store.select(0, 1e9);
    if (!selection) throw new Error('nothing selected');
    expect(store.deletePage(selection, 700, { archive_watermark: 'w' })).toEqual({
      deleted: 700,
      done: false,
    });
    expect(store.getMeta('archive_watermark')).toBeUndefined();
    expect(store.deletePage(selection, 700, { archive_watermark: 'w' })).toEqual({
      deleted: 300,
      done: true,
    });
    expect(store.getMeta('archive_watermark')).toBe('w');
    expect(store.deletePage(selection, 1000, {})).toEqual({ deleted: 0, done: true });
    // The way is shut again.
    expect(store.getMeta('archive_delete_upto')).toBeUndefined();
    const db = new BetterSqlite3(path);
    expect(db.prepare('SELECT count(*) AS n FROM logs WHERE ts < 0').get()).toEqual({ n: 0 });
    const counts = (text: string): unknown => db.prepare(text).all();
    expect(counts('SELECT minute, level, source, type, n FROM log_counts ORDER BY 1, 2, 3, 4')).toEqual(
      counts('SELECT ts / 60000 AS minute, level, source, type, count(*) AS n FROM logs GROUP BY 1, 2, 3, 4'),
    );
    expect(() => db.prepare('DELETE FROM logs').run()).toThrow(/append-only/);
    db.close();
    store.close();
  });

  test('gives ids of the archive to no row again', () => {
    fill([]);
    const store = openArchivalStore(path);
    expect(store.reserveIds(500)).toBe(true);
    expect(store.reserveIds(400)).toBe(false);
    store.close();
    const log = openLogStore(path);
    expect(log.append({ source: 'a' })).toEqual([501]);
    log.close();
  });
});

describe('acquireArchiveLease', () => {
  test('is had by one at a time, and names who has it', () => {
    fill([]);
    const lease = acquireArchiveLease(path);
    const second = (): unknown => acquireArchiveLease(path);
    expect(second).toThrow(expect.objectContaining({ code: 'LEASE_HELD' }));
    expect(second).toThrow(new RegExp(`process ${process.pid} on ${os.hostname()}`));
    lease.release();
    acquireArchiveLease(path).release();
  });
});

describe('openRestoreTarget', () => {
  test('puts rows back under their ids, once, into a store that is append-only', () => {
    fill(mixedEntries(300));
    const source = openArchivalStore(path);
    const lines = linesOf(source, 0);
    const { storeId } = source;
    source.close();
    const scratch = `${path}-scratch`;
    for (const expected of [lines.length, 0]) {
      const target = openRestoreTarget(scratch, storeId);
      expect(target.insert(lines)).toBe(expected);
      target.close();
    }
    const [before, after] = [path, scratch].map((file) => {
      const reader = openLogReader(file);
      const answer = {
        rows: [...reader.iterate({ until: 0, order: 'asc' })],
        count: reader.stats({ until: 0 }).levels,
      };
      reader.close();
      return answer;
    });
    expect(after).toEqual(before);
    const db = new BetterSqlite3(scratch);
    expect(() => db.exec('INSERT OR REPLACE INTO logs SELECT * FROM logs')).toThrow(/append-only/);
    db.close();
  });

  test('refuses a store that programs write to', () => {
    fill(mixedEntries(3));
    expect(() => openRestoreTarget(path, 'other')).toThrow(
      expect.objectContaining({ code: 'DESTINATION_UNUSABLE' }),
    );
  });
});

describe('compileRowTest', () => {
  test.each<[string, LogQuery]>([
    ['everything', {}],
    ['a level', { level: 'error' }],
    ['source and type', { source: 's1', type: 'job' }],
    ['times', { since: -100_000, until: 100_000 }],
    ['a text', { text: 'M12' }],
    ['a filter', { filter: 'level>=error and (source=s0 or type=job)' }],
    ['a payload value', { filter: 'index>100 and index<=200' }],
    ['an id', { filter: 'id>=10 and id<20' }],
    ['not an id', { filter: '-(id=10)' }],
    ['anything', { filter: 'any:12' }],
    ['a time in the filter', { filter: 'time<1970-01-01T00:00:00Z', utc: true }],
    ['a source twice', { source: 's1', filter: 'source=s2' }],
  ])('holds for the same rows as the store finds: %s', (_, query) => {
    fill(mixedEntries(400));
    // Without a time in the record, that of arrival counts.
    const db = new BetterSqlite3(path);
    db.prepare(
      `INSERT INTO logs (source, type, ts, level, payload) VALUES ('s1', 'job', -7, 30, '{"level":30}')`,
    ).run();
    db.close();
    const reader = openLogReader(path);
    const rowTest = compileRowTest(query);
    const expected = reader.queryLogs({ ...query, limit: Infinity, order: 'asc' }).map(({ id }) => id);
    const found = [...reader.iterate({ order: 'asc' })]
      .filter((row) => rowTest.matches(row))
      .map(({ id }) => id);
    reader.close();
    expect(found).toEqual(expected);
  });
});

import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { openLogReader, openLogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-store-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

let files = 0;
let path = '';
beforeEach(() => {
  path = join(folder, `${files++}.db`);
});

describe('openLogStore', () => {
  test('makes folders, file, schema and settings', () => {
    path = join(folder, 'a', 'b', 'logs.db');
    const store = openLogStore(path);
    expect(store.meta.get('schema_version')).toBe('1');
    expect(store.meta.get('store_id')).toMatch(/^[0-9a-f-]{36}$/);
    store.close();
    const db = new BetterSqlite3(path);
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(db.pragma('auto_vacuum', { simple: true })).toBe(2);
    db.close();
  });

  test('opens what is there without changing its id', () => {
    const first = openLogStore(path);
    const id = first.meta.get('store_id');
    first.append({ source: 'a' });
    first.close();
    const again = openLogStore(path);
    expect(again.meta.get('store_id')).toBe(id);
    expect(again.count()).toBe(1);
    again.close();
  });

  test.each([
    [
      'a directory',
      'DESTINATION_UNUSABLE',
      /is a directory; name the database file/,
      () => fs.mkdirSync(path),
    ],
    [
      'a text file',
      'STORE_UNUSABLE',
      /is not a SQLite database; move/,
      () => fs.writeFileSync(path, 'x'.repeat(5000)),
    ],
    [
      'a database of others',
      'STORE_UNUSABLE',
      /no log store \(it has the tables users\)/,
      () => sql('CREATE TABLE users (id)'),
    ],
    [
      'a store of a newer version',
      'STORE_UNUSABLE',
      /schema version 99, this version knows up to 1; update @treeline\/sqlite/,
      () => {
        openLogStore(path).close();
        sql("UPDATE meta SET value = '99' WHERE key = 'schema_version'");
      },
    ],
  ])('refuses %s by a message that names the path and what to do', (_, code, message, prepare) => {
    prepare();
    let thrown: unknown;
    try {
      openLogStore(path);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ name: 'TreelineError', code });
    expect((thrown as Error).message).toMatch(message);
    expect((thrown as Error).message).toContain(path);
  });

  test('refuses a path that can not be made', () => {
    fs.writeFileSync(path, '');
    expect(() => openLogStore(join(path, 'logs.db'))).toThrow(/can't be opened/);
  });
});

describe('append-only', () => {
  const attempts = [
    'UPDATE logs SET level = 10',
    'UPDATE logs SET id = id + 10',
    'DELETE FROM logs',
    'DELETE FROM logs WHERE id = 1',
    "INSERT OR REPLACE INTO logs (id, source, type, ts, level, payload) VALUES (1, 'x', 'x', 1, 1, '{}')",
    "REPLACE INTO logs (id, source, type, ts, level, payload) VALUES (1, 'x', 'x', 1, 1, '{}')",
    "INSERT INTO logs (id, source, type, ts, level, payload) VALUES (1, 'x', 'x', 1, 1, '{}') ON CONFLICT (id) DO UPDATE SET level = 1",
    "INSERT OR REPLACE INTO logs (id, source, type, ts, level, payload) VALUES (-1, 'x', 'x', 1, 1, '{}')",
    "INSERT INTO logs (id, source, type, ts, level, payload) VALUES (50, 'x', 'x', 1, 1, '{}')",
  ];

  test.each(attempts)('%s is refused', (attempt) => {
    const store = openLogStore(path);
    store.append([{ source: 'a' }, { source: 'b' }]);
    const before = store.queryLogs();
    expect(() => sql(attempt)).toThrow(/append-only|constraint/);
    // Also where a tool has these triggers off, which SQLite's own default is.
    expect(() => sql(`PRAGMA recursive_triggers = OFF; ${attempt}`)).toThrow(/append-only|constraint/);
    expect(store.queryLogs()).toEqual(before);
    store.close();
  });

  test('rows up to the mark of the archive can be deleted, and their ids are not given again', () => {
    const store = openLogStore(path);
    store.append([{ source: 'a' }, { source: 'b' }]);
    store.meta.set('archive_delete_upto', '1');
    sql('DELETE FROM logs WHERE id <= 1');
    expect(() => sql('DELETE FROM logs')).toThrow(/append-only/);
    store.meta.set('archive_delete_upto', '2');
    sql('DELETE FROM logs');
    expect(store.append({ source: 'c' })).toEqual([3]);
    store.close();
  });
});

describe('deleteArchived', () => {
  test('deletes rows up to the mark and takes them out of the counts', () => {
    const store = openLogStore(path);
    store.append([
      ...Array.from({ length: 1200 }, (_, index) => ({ source: `s${index}`, ts: 60_000 })),
      { source: 'kept', ts: 60_000 },
    ]);
    store.meta.set('archive_delete_upto', '1200');
    expect(() => store.deleteArchived([1, 1201])).toThrow(/append-only/);
    expect(store.count()).toBe(1201);
    expect(store.deleteArchived(Array.from({ length: 1200 }, (_, index) => index + 1))).toBe(1200);
    expect(store.deleteArchived([1, 2])).toBe(0);
    expect(store.stats().count).toBe(1);
    const db = new BetterSqlite3(path);
    expect(db.prepare('SELECT source, n FROM log_counts').raw().all()).toEqual([['*', 1]]);
    db.close();
    store.close();
  });
});

describe('append', () => {
  test('gives payload fields back as they were, also under keys of the record', () => {
    const store = openLogStore(path);
    store.append([
      { source: 'a', payload: { n: 1, nested: { list: [1, null] } } },
      { source: 'a', payload: { level: 'gold', x: 1 } },
    ]);
    const rows = store.queryLogs({ order: 'asc' });
    expect(rows.map((row) => row.payload)).toEqual([
      { n: 1, nested: { list: [1, null] } },
      { payload: { level: 'gold', x: 1 } },
    ]);
    expect(rows.map((row) => row.level)).toEqual([30, 30]);
    store.close();
  });

  test.each([0, 5, -1, 99_999_999_999, 1e14, 1_760_000_000_000])('keeps the time %d', (ts) => {
    const store = openLogStore(path);
    store.append({ source: 'a', ts });
    expect(store.queryLogs()[0]?.ts).toBe(ts);
    store.close();
  });

  test('appends nothing of a list in which one entry is wrong', () => {
    const store = openLogStore(path);
    const wrong = { source: '' };
    expect(() => store.append([{ source: 'a' }, wrong])).toThrow(/entry.source must be a non-empty string/);
    expect(store.count()).toBe(0);
    store.close();
  });

  test.each([
    [{ source: 'a', level: 'loud' as 'info' }, /level must be one of/],
    [{ source: 'a', level: 1.5 }, /entry.level must be a level name or an integer; got 1.5/],
    [{ source: 'a', ts: Number.NaN }, /entry.ts must be/],
    [{ source: 'a', refId: 5 as unknown as string }, /entry.refId must be a string; got 5/],
    [{ source: 'a', payload: [] as unknown as Record<string, unknown> }, /entry.payload must be an object/],
  ])('refuses %j', (entry, message) => {
    const store = openLogStore(path);
    expect(() => store.append(entry)).toThrow(message);
    store.close();
  });

  test('the ids of the store can not be set through meta', () => {
    const store = openLogStore(path);
    expect(() => store.meta.set('store_id', 'x')).toThrow(TypeError);
    store.meta.set('mine', 'x');
    expect(store.meta.get('mine')).toBe('x');
    store.close();
  });
});

describe('queryLogs', () => {
  test('answers every mix of conditions and order as a plain filter would, page by page', () => {
    const store = openLogStore(path);
    const base = 1_760_000_000_000;
    store.append(
      Array.from({ length: 3000 }, (_, index) => ({
        source: ['api', 'db', 'ui'][index % 3] ?? '',
        type: index % 2 === 0 ? 'http' : 'job',
        ...(index % 50 === 0 ? { refId: `ref-${index % 7}` } : {}),
        level: [20, 30, 30, 40, 50, 60][index % 6] ?? 0,
        // Not in the order of ids, and many at one millisecond.
        ts: base + ((index * 7919) % 400) * 60_000,
        msg: index % 10 === 0 ? `Timeout 100%_ after ${index}` : `fine ${index}`,
      })),
    );
    const all = [...store.iterate({ order: 'asc' })];
    const pick = <T>(values: readonly T[], seed: number): T | undefined => values[seed % (values.length + 1)];
    for (let seed = 0; seed < 120; seed++) {
      const query = {
        source: pick(['api', 'db', 'none'], seed),
        type: pick(['http', 'job'], seed * 3 + 1),
        refId: seed % 4 === 0 ? pick(['ref-0', 'ref-3'], seed) : undefined,
        level: pick([30, 50, 60], seed * 5 + 2),
        since: pick([base + 3_600_000], seed),
        until: pick([base + 9_600_000], seed * 7),
        text: seed % 3 === 0 ? pick(['timeout 100%_', 'FINE'], seed) : undefined,
        order: seed % 2 === 0 ? ('asc' as const) : ('desc' as const),
      };
      const expected = all.filter(
        (row) =>
          (query.source === undefined || row.source === query.source) &&
          (query.type === undefined || row.type === query.type) &&
          (query.refId === undefined || row.refId === query.refId) &&
          row.level >= (query.level ?? 0) &&
          row.ts >= (query.since ?? 0) &&
          row.ts < (query.until ?? Infinity) &&
          (row.msg ?? '').toLowerCase().includes((query.text ?? '').toLowerCase()),
      );
      if (query.order === 'desc') expected.reverse();
      const ids = expected.map((row) => row.id);
      expect(Array.from(store.iterate(query), (row) => row.id)).toEqual(ids);
      expect(store.count(query)).toBe(ids.length);

      const first = store.queryLogs({ ...query, limit: 7 });
      expect(first.map((row) => row.id)).toEqual(ids.slice(0, 7));
      const cursor = first.at(-1)?.cursor;
      if (cursor) {
        const second = store.queryLogs({ ...query, cursor, limit: 7 });
        expect(second.map((row) => row.id)).toEqual(ids.slice(7, 14));
      }
    }
    store.close();
  });

  test('a level or source that is rare or absent is found by the counts, not row by row', () => {
    const store = openLogStore(path);
    const at = (index: number): number => 1_760_000_000_000 + index * 1000;
    store.append({ source: 'b', level: 'fatal', ts: at(-1), msg: 'oldest' });
    store.append(
      Array.from({ length: 20_000 }, (_, index) => ({ source: 'a', level: 'error', ts: at(index) })),
    );
    store.append({ source: 'b', level: 'fatal', ts: at(20_000), msg: 'newest' });
    expect(store.queryLogs({ level: 'fatal' }).map((row) => row.msg)).toEqual(['newest', 'oldest']);
    expect(store.queryLogs({ level: 'fatal', order: 'asc' }).map((row) => row.msg)).toEqual([
      'oldest',
      'newest',
    ]);
    expect(store.queryLogs({ filter: 'level=55' })).toHaveLength(0);
    // Counts that say nothing are left: without them every row would be looked at.
    sql('DELETE FROM log_counts WHERE level = 60');
    expect(store.queryLogs({ level: 'fatal' }).map((row) => row.msg)).toEqual(['newest']);
    store.close();
  });

  test('gives at most a thousand rows without a limit', () => {
    const store = openLogStore(path);
    store.append(Array.from({ length: 1001 }, () => ({ source: 'a' })));
    expect(store.queryLogs()).toHaveLength(1000);
    expect(store.queryLogs({ limit: 0 })).toHaveLength(0);
    expect(store.queryLogs({ limit: Infinity })).toHaveLength(1001);
    store.close();
  });

  test('finds the rows of a business object over hours that lie decades apart', () => {
    const store = openLogStore(path);
    const hour = 3_600_000;
    const times = [1, 5 * hour, 1_760_000_000_000, 1_760_000_000_000 + 40 * hour];
    store.append(times.map((ts) => ({ source: 'a', refId: 'order', ts })));
    store.append(times.map((ts) => ({ source: 'a', refId: 'other', ts })));
    expect(store.queryLogs({ refId: 'order', order: 'asc' }).map((row) => row.ts)).toEqual(times);
    expect(store.queryLogs({ refId: 'order', until: 6 * hour }).map((row) => row.ts)).toEqual([5 * hour, 1]);
    store.close();
  });

  test('stops at its time limit and says that it is not complete', () => {
    const store = openLogStore(path);
    store.append(Array.from({ length: 5000 }, (_, index) => ({ source: 'a', msg: `m${index}` })));
    const rows = store.queryLogs({ text: 'nothing like it', timeoutMs: 0 });
    expect(rows.complete).toBe(false);
    expect(store.queryLogs({ text: 'nothing like it' }).complete).toBe(true);
    store.close();
  });

  test.each([
    [{ cursor: 'x' }, /cursor "x" is not one that a row had/],
    [{ since: 'never' }, /since must be a time .*; got "never"/],
    [{ limit: -1 }, /limit must be/],
    [{ level: 'loud' as 'info' }, /level must be one of/],
    [{ order: 'up' as 'asc' }, /order must be "asc" or "desc"; got "up"/],
  ])('refuses %j', (query, message) => {
    const store = openLogStore(path);
    expect(() => store.queryLogs(query)).toThrow(message);
    store.close();
  });
});

describe('openLogReader', () => {
  test('names a damaged store that it meets while reading', () => {
    const store = openLogStore(path);
    store.append(
      Array.from({ length: 3000 }, (_, index) => ({
        source: 'a',
        payload: { text: `x${index}`.repeat(50) },
      })),
    );
    store.close();
    const bytes = fs.readFileSync(path);
    bytes.fill(0xff, 4096 * 12);
    fs.writeFileSync(path, bytes);
    const reader = openLogReader(path);
    const damaged = expect.objectContaining({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining(path) as string,
    }) as Error;
    expect(() => reader.queryLogs({ limit: Infinity })).toThrow(damaged);
    expect(() => [...reader.iterate()]).toThrow(damaged);
    reader.close();
  });

  test('reads what another process writes and can not write itself', () => {
    const store = openLogStore(path);
    const reader = openLogReader(path);
    store.append({ source: 'a', msg: 'seen' });
    expect(reader.queryLogs().map((row) => row.msg)).toEqual(['seen']);
    expect(Object.keys(reader).toSorted()).toEqual([
      'close',
      'count',
      'iterate',
      'iteratePages',
      'meta',
      'path',
      'queryLogs',
      'stats',
      'table',
    ]);
    expect(Object.keys(reader.meta)).toEqual(['get']);
    reader.close();
    store.close();
  });

  test('refuses a store that is not there, without making one', () => {
    expect(() => openLogReader(path)).toThrow(expect.objectContaining({ code: 'STORE_MISSING' }) as Error);
    expect(fs.existsSync(path)).toBe(false);
  });
});

function sql(text: string): void {
  const db = new BetterSqlite3(path);
  try {
    db.exec(text);
  } finally {
    db.close();
  }
}

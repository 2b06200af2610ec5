import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLogStore, type LogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-table-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const BASE = 1_760_000_040_000;

let store: LogStore;
beforeAll(() => {
  store = openLogStore(join(folder, 'logs.db'));
  store.append([
    {
      source: 'api',
      type: 'http',
      ts: BASE,
      level: 'info',
      payload: { ms: 10, req: { url: '/a' } },
      msg: 'one',
    },
    {
      source: 'api',
      type: 'http',
      ts: BASE + 1000,
      level: 'error',
      payload: { ms: 30, req: { url: '/b' } },
      msg: 'two',
    },
    { source: 'db', type: 'sql', ts: BASE + 2000, level: 'info', payload: { ms: '20' }, msg: 'three' },
    {
      source: 'api',
      type: 'http',
      ts: BASE + 61_000,
      level: 'error',
      payload: { ms: 20, req: { url: '/a' } },
      msg: 'four',
    },
    { source: 'api', ts: BASE + 62_000, level: 'info', payload: { ms: null }, msg: 'five' },
  ]);
  return () => store.close();
});

describe('table', () => {
  test.each<[string, unknown[]]>([
    ['| count', [{ count: 5 }]],
    ['msg=none | count', [{ count: 0 }]],
    [
      'source=api | count by level',
      [
        { level: 30, count: 2 },
        { level: 50, count: 2 },
      ],
    ],
    ['| count by source, type | sort count desc | limit 1', [{ source: 'api', type: 'http', count: 3 }]],
    [
      '| count by req.url',
      [
        { 'req.url': '/a', count: 2 },
        { 'req.url': '/b', count: 1 },
        { 'req.url': null, count: 2 },
      ],
    ],
    ['| top 1 req.url', [{ 'req.url': '/a', count: 2 }]],
    [
      '| top 5 ms',
      [
        { ms: 10, count: 1 },
        { ms: 20, count: 1 },
        { ms: 30, count: 1 },
        { ms: '20', count: 1 },
      ],
    ],
    [
      'level>=error | hist 1m',
      [
        { ts: BASE, count: 1 },
        { ts: BASE + 60_000, count: 1 },
      ],
    ],
    [
      '| hist 1m by source',
      [
        { ts: BASE, source: 'api', count: 2 },
        { ts: BASE, source: 'db', count: 1 },
        { ts: BASE + 60_000, source: 'api', count: 2 },
      ],
    ],
    [
      '| stats p50(ms), max(ms), avg(ms) as mean, count(ms), count',
      [{ 'p50(ms)': 20, 'max(ms)': 30, mean: 20, 'count(ms)': 4, count: 5 }],
    ],
    [
      '| stats sum(ms) by source',
      [
        { source: 'api', 'sum(ms)': 60 },
        { source: 'db', 'sum(ms)': null },
      ],
    ],
    [
      '| count by source, level | count by source',
      [
        { source: 'api', count: 2 },
        { source: 'db', count: 1 },
      ],
    ],
    [
      '| hist 1m by source | stats max(count) by source',
      [
        { source: 'api', 'max(count)': 2 },
        { source: 'db', 'max(count)': 1 },
      ],
    ],
    [
      '| sort ms | fields msg, ms | limit 2',
      [
        { msg: 'one', ms: 10 },
        { msg: 'four', ms: 20 },
      ],
    ],
    ['| sort req.url desc | fields req.url, source | limit 1', [{ 'req.url': '/b', source: 'api' }]],
    ['| limit 2 | fields msg', [{ msg: 'five' }, { msg: 'four' }]],
    ['msg=two | context 1,1 | fields msg', [{ msg: 'one' }, { msg: 'two' }, { msg: 'four' }]],
  ])('%s', (query, expected) => {
    const table = store.table({ query });
    const sorted = (rows: unknown[]): unknown[] =>
      rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    // Groups without an order of their own come as they are met.
    if (/sort|top|hist|limit|context/.test(query)) expect([...table]).toEqual(expected);
    else expect(sorted([...table])).toEqual(sorted(expected));
    expect(table.complete).toBe(true);
  });

  test('tells all sources and types apart, also where a minute counts many of them together', () => {
    const crowded = openLogStore(join(folder, 'crowded.db'));
    crowded.append(Array.from({ length: 1000 }, (_, index) => ({ source: `dev-${index}`, ts: BASE })));
    crowded.append(Array.from({ length: 50 }, () => ({ source: 'noisy', type: 'noise', ts: BASE + 1 })));
    expect([...crowded.table({ query: '| top 1 source' })]).toEqual([{ source: 'noisy', count: 50 }]);
    expect([...crowded.table({ query: '| count by type | sort count' })]).toEqual([
      { type: 'noise', count: 50 },
      { type: 'log', count: 1000 },
    ]);
    expect([...crowded.table({ query: '| hist 1m by type | sort count | limit 1' })]).toEqual([
      { ts: expect.any(Number) as number, type: 'noise', count: 50 },
    ]);
    expect([...crowded.table({ query: '| count' })]).toEqual([{ count: 1050 }]);
    crowded.close();
  });

  test('bounds its time', () => {
    expect(store.table({ query: '| count by msg', timeoutMs: 0 }).complete).toBe(false);
    expect([...store.table({ query: '| count', since: BASE + 61_000 })]).toEqual([{ count: 2 }]);
  });

  test.each([
    ['| count by tags.[]', /tags\.\[\] has many values in a record; name one of them, as in tags\.\[0\]/],
    ['| nonsense', /unknown stage "nonsense"/],
    ['| count | context 1,1', /context follows the condition/],
  ])('%s is refused', (query, message) => {
    expect(() => store.table({ query })).toThrow(message);
  });

  test('refuses more groups than a table is for', () => {
    const many = openLogStore(join(folder, 'many.db'));
    many.append(Array.from({ length: 100_001 }, (_, index) => ({ source: 'a', payload: { n: index } })));
    expect(() => many.table({ query: '| count by n' })).toThrow(/more than 100000 groups by n/);
    many.close();
  });
});

describe('the records of a table', () => {
  test('come along where the stages have only chosen and sorted them', () => {
    const chosen = store.table({ query: 'ms>0 | sort ms desc | limit 2' });
    expect(chosen.records?.map((row) => row.msg)).toEqual(['two', 'four']);
    expect(store.table({ query: 'two | context 1,0' }).records?.map((row) => row.msg)).toEqual([
      'one',
      'two',
    ]);
    expect(store.table({ query: '| fields msg' }).records).toBeUndefined();
    expect(store.table({ query: '| count' }).records).toBeUndefined();
  });

  test('are counted where only the newest were looked at', () => {
    const many = openLogStore(join(folder, 'listed.db'));
    many.append(Array.from({ length: 1001 }, (_, n) => ({ source: 's', ts: BASE + n, payload: { n } })));
    const listed = many.table({ query: '| fields n' });
    expect([listed.length, listed.newestOnly, listed[0]]).toEqual([1000, 1000, { n: 1000 }]);
    expect(many.table({ query: 'n>0 | fields n' }).newestOnly).toBeUndefined();
    expect(many.table({ query: '| limit 5 | fields n' }).newestOnly).toBeUndefined();
    many.close();
  });
});

test('conditions beside a query hold too', () => {
  expect([...store.table({ query: '| count', source: 'api', level: 'error', text: 'FOUR' })]).toEqual([
    { count: 1 },
  ]);
});

test('iterating tells whether that was all', () => {
  const end = (timeoutMs: number): unknown => {
    const rows = store.iterate({ timeoutMs });
    let next = rows.next();
    while (!next.done) next = rows.next();
    return next.value;
  };
  expect(end(60_000)).toEqual({ complete: true });
  expect(end(0)).toEqual({ complete: false });
});

import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogEntry } from './entry.ts';
import type { StatsQuery } from './stats.ts';
import { openLogStore, type LogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-stats-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const MINUTE = 60_000;
const BASE = 1_760_000_040_000;

let files = 0;
let path = '';
let store: LogStore;
beforeEach(() => {
  path = join(folder, `${files++}.db`);
  store = openLogStore(path);
});
afterEach(() => store.close());

function entries(count: number): LogEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    source: ['api', 'db'][index % 2] ?? '',
    type: ['http', 'job', 'cron'][index % 3] ?? '',
    level: [20, 30, 50][index % 3] ?? 0,
    ts: BASE + ((index * 7919) % 600) * 1000 - 5 * MINUTE,
    payload: { ms: index % 100, ...(index % 4 === 0 ? { user: { id: `u${index % 3}` } } : { user: null }) },
    msg: index % 10 === 0 ? 'slow' : 'fine',
  }));
}

const QUERIES: StatsQuery[] = [
  {},
  { source: 'api' },
  { type: 'job', level: 'info' },
  { since: BASE - 90_500, until: BASE + 125_250 },
  { since: BASE + 10, until: BASE + 20 },
  { since: BASE, until: BASE + MINUTE, source: 'db' },
  { text: 'SLOW' },
  { since: BASE + 10 * MINUTE * 60 },
];

describe('stats', () => {
  test.each(QUERIES)('of %j are those of its rows', (query) => {
    store.append(entries(3000));
    const rows = [...store.iterate(query)];
    const levels: Record<number, number> = {};
    for (const row of rows) levels[row.level] = (levels[row.level] ?? 0) + 1;
    const times = rows.map((row) => row.ts);
    expect(store.stats(query)).toEqual({
      count: rows.length,
      levels,
      ...(rows.length > 0 ? { firstMs: Math.min(...times), lastMs: Math.max(...times) } : {}),
      complete: true,
    });
  });

  test.each(QUERIES.flatMap((query) => [MINUTE, 5 * MINUTE, 1500].map((stepMs) => [query, stepMs] as const)))(
    'a histogram of %j in steps of %d ms counts its rows',
    (query, stepMs) => {
      store.append(entries(3000));
      store.append({ source: 'api', ts: -1500, level: 'error' });
      const expected = new Map<string, number>();
      for (const row of store.iterate(query)) {
        const key = `${Math.floor(row.ts / stepMs) * stepMs} ${row.source}`;
        expected.set(key, (expected.get(key) ?? 0) + 1);
      }
      const { histogram = [] } = store.stats({ ...query, histogram: { stepMs, by: 'source' } });
      expect(new Map(histogram.map((step) => [`${step.ts} ${step.by}`, step.count]))).toEqual(expected);
      expect(histogram.map((step) => step.ts)).toEqual(
        histogram.map((step) => step.ts).toSorted((a, b) => a - b),
      );
    },
  );

  test('a histogram is read from the counts, not from the rows', () => {
    store.append(entries(300));
    const db = new BetterSqlite3(path);
    db.exec("UPDATE log_counts SET n = n + 1000 WHERE source = 'api'");
    db.close();
    expect(store.stats().count).toBeGreaterThan(10_000);
  });

  test('a source among more than a thousand in a minute is still counted right', () => {
    store.append(Array.from({ length: 1500 }, (_, index) => ({ source: `s${index}`, ts: BASE })));
    expect(store.stats().count).toBe(1500);
    expect(store.stats({ source: 's1400' }).count).toBe(1);
    expect(store.stats({ source: 's3' }).count).toBe(1);
  });

  test('top values keep their types, and absent values and null are none', () => {
    store.append([
      ...Array.from({ length: 3 }, () => ({ source: 'a', payload: { code: 1 } })),
      { source: 'a', payload: { code: '1' } },
      { source: 'a', payload: { code: '1' } },
      { source: 'a', payload: { code: true } },
      { source: 'a', payload: { code: null } },
      { source: 'b' },
    ]);
    expect(store.stats({ top: { field: 'code' } }).top).toEqual({
      values: [
        { value: 1, count: 3 },
        { value: '1', count: 2 },
        { value: true, count: 1 },
      ],
      uncounted: 0,
    });
    expect(store.stats({ top: { field: 'source', limit: 1 } }).top?.values).toEqual([
      { value: 'a', count: 7 },
    ]);
  });

  test('percentiles are by nearest rank, of numbers alone', () => {
    store.append(
      Array.from({ length: 10 }, (_, index) => ({ source: 'a', payload: { req: { ms: index + 1 } } })),
    );
    store.append([
      { source: 'a', payload: { req: { ms: '1000' } } },
      { source: 'a', payload: { req: { ms: true } } },
    ]);
    expect(store.stats({ percentiles: { field: 'req.ms', of: [50, 90, 95, 100] } }).percentiles).toEqual({
      50: 5,
      90: 9,
      95: 10,
      100: 10,
    });
    expect(store.stats({ percentiles: { field: 'none', of: [50] } }).percentiles).toEqual({ 50: undefined });
  });

  test('what the time did not suffice for is told', () => {
    store.append(entries(10));
    expect(store.stats({ text: 'slow', timeoutMs: 0 }).complete).toBe(false);
  });

  test.each([
    [{ histogram: { stepMs: 0 } }, /histogram.stepMs must be/],
    [{ percentiles: { field: 'x', of: [0] } }, /percentiles must be over 0/],
  ])('refuse %j', (query, message) => {
    expect(() => store.stats(query)).toThrow(message);
  });
});

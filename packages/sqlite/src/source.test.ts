import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openLogSource } from './source.ts';
import { openLogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-source-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

test('a source gives the records of a request, all of them unless it has a limit, and their statistics', async () => {
  const path = join(folder, 'logs.db');
  const store = openLogStore(path);
  store.append(
    Array.from({ length: 1500 }, (_, index) => ({
      source: 'a',
      ts: 1_760_000_000_000 + index,
      payload: { n: index },
    })),
  );
  store.append({ source: 'b', level: 'error', ts: 1_760_000_000_000 });
  store.close();
  const source = openLogSource(path);
  const request = { source: 'a', sinceMs: 1_760_000_000_010, order: 'asc' } as const;
  const numbers: unknown[] = [];
  for await (const record of source.query(request)) numbers.push(record.n);
  expect(numbers).toEqual(Array.from({ length: 1490 }, (_, index) => index + 10));
  const newest: unknown[] = [];
  for await (const record of source.query({ filter: 'source=a', limit: 2 })) newest.push(record.n);
  expect(newest).toEqual([1499, 1498]);
  expect(await source.stats(request)).toEqual({
    count: 1490,
    levels: { 30: 1490 },
    firstMs: 1_760_000_000_010,
    lastMs: 1_760_000_001_499,
  });
  await source.close();
});

import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { followLogs, type FollowOptions } from './follow.ts';
import { openLogStore } from './store.ts';
import { walBytes } from './wal.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-follow-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

let files = 0;
let path = '';
beforeEach(() => {
  path = join(folder, `${files++}.db`);
});

async function take(
  count: number,
  options: FollowOptions,
  whenStarted: () => void = () => undefined,
): Promise<(string | null)[]> {
  const ending = new AbortController();
  const rows = followLogs(path, { pollMs: 5, signal: ending.signal, ...options });
  const found: (string | null)[] = [];
  const first = rows.next();
  // The first step has looked at the store when a turn of the event loop has passed.
  await new Promise((resolve) => setTimeout(resolve, 30));
  whenStarted();
  for (let result = await first; !result.done; result = await rows.next()) {
    found.push(result.value.msg);
    if (found.length === count) ending.abort();
  }
  return found;
}

describe('followLogs', () => {
  test('begins with the next row, and gives rows in the order of writing whatever their time', async () => {
    const store = openLogStore(path);
    store.append({ source: 'a', msg: 'before' });
    const found = await take(3, {}, () => {
      store.append([
        { source: 'a', msg: 'one' },
        { source: 'a', msg: 'two', ts: 5 },
      ]);
      store.append({ source: 'a', msg: 'three' });
    });
    expect(found).toEqual(['one', 'two', 'three']);
    store.close();
  });

  test('goes on behind a cursor, with conditions, over more rows than a page has', async () => {
    const store = openLogStore(path);
    store.append(
      Array.from({ length: 2500 }, (_, index) => ({ source: index % 2 ? 'a' : 'b', msg: `m${index}` })),
    );
    const after = store.queryLogs({ order: 'asc', limit: 1 })[0]?.cursor ?? '';
    const found = await take(1250, { after, source: 'a' });
    expect(found).toEqual(Array.from({ length: 1250 }, (_, index) => `m${index * 2 + 1}`));
    store.close();
  });

  test('goes on in the file that takes the place of the store', async () => {
    openLogStore(path).close();
    const found = await take(1, {}, () => {
      fs.renameSync(path, `${path}.old`);
      const store = openLogStore(path);
      store.append({ source: 'a', msg: 'new file' });
      store.close();
    });
    expect(found).toEqual(['new file']);
  });

  test('waits for a file in the place of the store that is empty at first', async () => {
    openLogStore(path).close();
    let wrote = false;
    const found = await take(1, {}, () => {
      fs.renameSync(path, `${path}.old`);
      fs.writeFileSync(path, '');
      setTimeout(() => {
        wrote = true;
        const store = openLogStore(path);
        store.append({ source: 'a', msg: 'in time' });
        store.close();
      }, 100);
    });
    expect({ found, wrote }).toEqual({ found: ['in time'], wrote: true });
  });

  test('never keeps the write-ahead log from being emptied', async () => {
    const store = openLogStore(path);
    const ending = new AbortController();
    const rows = followLogs(path, { pollMs: 1, signal: ending.signal });
    const next = rows.next();
    const text = 'x'.repeat(4000);
    for (let index = 0; index < 100; index++) {
      store.append(Array.from({ length: 50 }, () => ({ source: 'a', payload: { text } })));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(walBytes(path)).toBeLessThan(10 * 1024 * 1024);
    ending.abort();
    await next;
    await rows.return();
    store.close();
  });

  test('refuses a store that is not there', async () => {
    await expect(followLogs(path).next()).rejects.toMatchObject({ code: 'STORE_MISSING' });
  });
});

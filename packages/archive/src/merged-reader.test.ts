import fs from 'node:fs';
import { join } from 'node:path';
import { openLogReader, openLogStore, type LogQuery, type LogRow } from '@treeline/sqlite';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { archive } from './archive.ts';
import { ArchivedMembers } from './archived-members.ts';
import { openMergedReader } from './merged-reader.ts';
import { createScratchStore, DAY_MS, daysOfRows, HOUR_MS, type ScratchStore } from './scratch-store.ts';
import { openArchivedSource } from './source.ts';

let store: ScratchStore;
let before: LogRow[];
beforeEach(() => {
  store = createScratchStore(daysOfRows(3000, HOUR_MS));
  before = store.rows();
});
afterEach(() => {
  vi.restoreAllMocks();
  store.remove();
});

const warnings: string[] = [];

function merged(query: LogQuery, path = store.path): LogRow[] {
  warnings.length = 0;
  const reader = openMergedReader(path, { onWarning: (message) => warnings.push(message) });
  const rows = [...reader.iterate(query)];
  reader.close();
  return rows;
}

/** Archived in two runs, with rows between them that came late: the segments overlap in time. Beside it the same rows in one store. */
async function createOverlapping(): Promise<{ readonly split: ScratchStore; readonly whole: ScratchStore }> {
  const nowMs = Date.now();
  const late = Array.from({ length: 100 }, (_, n) => ({
    source: 'late',
    ts: nowMs - (61 + n / 2) * DAY_MS,
  }));
  const rows = daysOfRows(3000, HOUR_MS, nowMs);
  const [split, whole] = [createScratchStore(rows), createScratchStore(rows)];
  await archive(split, { olderThan: '60d', to: split.to, maxRowsPerFile: 800 });
  for (const each of [split, whole]) each.append(late);
  await archive(split, { olderThan: '30d', to: join(split.folder, 'other') });
  return { split, whole };
}

let overlapping: Awaited<ReturnType<typeof createOverlapping>> | undefined;
afterAll(() => {
  overlapping?.split.remove();
  overlapping?.whole.remove();
});

describe('openMergedReader', () => {
  test.each<[string, (rows: readonly LogRow[]) => LogQuery]>([
    ['all, oldest first', () => ({ order: 'asc' })],
    ['all, newest first', () => ({ order: 'desc' })],
    ['by level', () => ({ level: 'error', order: 'asc' })],
    [
      'by filter and times',
      () => ({
        filter: 'source=service-1 and index>500',
        since: Date.now() - 100 * DAY_MS,
        until: Date.now() - 20 * DAY_MS,
      }),
    ],
    ['with a limit', () => ({ limit: 2500, order: 'asc' })],
    ['behind a cursor in the archive', (rows) => ({ order: 'asc', cursor: rows[700]?.cursor })],
    ['before a cursor in the archive', (rows) => ({ order: 'desc', cursor: rows[700]?.cursor, limit: 50 })],
    ['by id', () => ({ filter: 'id>=100 and id<110', order: 'asc' })],
  ])('answers as one store with all rows does: %s', async (_, query) => {
    overlapping ??= await createOverlapping();
    const { split, whole } = overlapping;
    const reader = openLogReader(whole.path);
    const asked = query(reader.queryLogs({ order: 'asc', limit: 800 }));
    const expected = [...reader.iterate(asked)];
    reader.close();
    expect(expected.length).toBeGreaterThan(9);
    expect(merged(asked, split.path)).toEqual(expected);
    expect(warnings).toEqual([]);
  });

  test('shows each row once while it is in both', async () => {
    const copy = join(store.folder, 'copy.db');
    fs.copyFileSync(store.path, copy);
    await archive(store, { olderThan: '60d', to: store.to });
    // As after a kill in the middle of the delete: the store has rows that the archive has.
    const folders = openLogReader(store.path);
    const meta = ['archive_folders', 'archive_sealed'].map(
      (key) => [key, folders.meta.get(key) ?? ''] as const,
    );
    folders.close();
    for (const suffix of ['', '-wal', '-shm']) fs.rmSync(store.path + suffix, { force: true });
    fs.copyFileSync(copy, store.path);
    const log = openLogStore(store.path);
    for (const [key, value] of meta) log.meta.set(key, value);
    log.close();
    expect(merged({ order: 'asc' })).toEqual(before);
    expect(merged({ order: 'desc' })).toEqual(before.toReversed());
  });

  test.each(['asc', 'desc'] as const)(
    'shows each row once while an archiver moves them (%s)',
    async (order) => {
      const reader = openMergedReader(store.path);
      const rows: LogRow[] = [];
      const iterator = reader.iterate({ order });
      const take = (count: number): void => {
        for (let n = 0; n < count; n++) {
          const next = iterator.next();
          if (next.done) return;
          rows.push(next.value);
        }
      };
      take(700);
      await archive(store, { olderThan: '100d', to: store.to });
      take(900);
      await archive(store, { olderThan: '10d', to: store.to });
      take(Infinity);
      reader.close();
      expect(rows).toEqual(order === 'asc' ? before : before.toReversed());
    },
  );

  test('opens no file that can not match by time, and no member', async () => {
    await archive(store, { olderThan: '30d', to: store.to, maxRowsPerFile: 400 });
    const opened: string[] = [];
    const { openSync } = fs;
    vi.spyOn(fs, 'openSync').mockImplementation((path, ...rest) => {
      opened.push(String(path));
      return openSync(path, ...rest);
    });
    const newest = before.filter(({ ts }) => ts >= Date.now() - 10 * DAY_MS);
    expect(merged({ since: Date.now() - 10 * DAY_MS, order: 'asc' })).toHaveLength(newest.length);
    expect(opened).toEqual([]);
    expect(merged({ until: Date.now() - 121 * DAY_MS, order: 'asc' }).length).toBeGreaterThan(10);
    expect(new Set(opened)).toEqual(new Set([expect.stringMatching(/-000001-.*\.jsonl\.gz$/)]));
    // A limit that the newest file fulfils opens no other.
    opened.length = 0;
    merged({ until: Date.now() - 31 * DAY_MS, limit: 5 });
    expect(opened).toHaveLength(1);
  });

  test('reads no more of the store than the answer needs', () => {
    store.append(
      Array.from({ length: 40_000 }, (_, n) => ({ source: 'more', ts: n, payload: { rare: n === 39_999 } })),
    );
    const reader = openMergedReader(store.path);
    // Each page of the store is followed by a look for new segments: few pages, few looks.
    const looks = vi.spyOn(ArchivedMembers.prototype, 'refresh');
    expect(reader.queryLogs({ limit: 5 })).toHaveLength(5);
    expect(looks.mock.calls).toHaveLength(1);
    looks.mockClear();
    // The first row that matches comes while the rows behind it are still to be searched.
    const rare = reader.iterate({ filter: 'rare=true' });
    expect(rare.next().value).toMatchObject({ ts: 39_999 });
    const untilFirst = looks.mock.calls.length;
    expect(rare.next()).toEqual({ done: true, value: { complete: true } });
    expect(looks.mock.calls.length).toBeGreaterThan(untilFirst + 1);
    reader.close();
  });

  test.each(['asc', 'desc'] as const)(
    'a time limit ends the search of archived rows and keeps what was found (%s)',
    async (order) => {
      await archive(store, { olderThan: 0, to: store.to, maxRowsPerFile: 500 });
      const reader = openMergedReader(store.path);
      // Each look at the clock is a millisecond.
      let nowMs = 0;
      const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs++);
      const rows = reader.queryLogs({ order, limit: Infinity, timeoutMs: 800 });
      clock.mockRestore();
      reader.close();
      expect(rows.complete).toBe(false);
      expect(rows.length).toBeGreaterThan(600);
      expect(rows.length).toBeLessThanOrEqual(800);
      const expected = order === 'asc' ? before : before.toReversed();
      expect([...rows]).toEqual(expected.slice(0, rows.length));
    },
  );

  test('says what is missing, once, and answers with the rest', async () => {
    await archive(store, { olderThan: '60d', to: store.to, maxRowsPerFile: 400 });
    const names = fs.readdirSync(store.to).filter((name) => name.endsWith('.gz'));
    const damaged = join(store.to, names[1] ?? '');
    const bytes = fs.readFileSync(damaged);
    bytes[50] = (bytes[50] ?? 0) ^ 1;
    fs.writeFileSync(damaged, bytes);
    expect(merged({ order: 'asc' })).toHaveLength(2600);
    expect(warnings).toEqual([
      expect.stringMatching(/^400 archived rows from .* are left out: .* is damaged \(bytes were changed\)/),
    ]);
    fs.rmSync(store.to, { recursive: true });
    expect(merged({ order: 'asc' })).toHaveLength(store.rows().length);
    expect(warnings).toEqual([expect.stringContaining(`${store.to} does not exist`)]);
  });

  test('tells a missing file once, whatever number of members it had', async () => {
    store.append(
      Array.from({ length: 3 }, (_, ts) => ({
        source: 'large',
        ts,
        payload: { text: 'x'.repeat(2_500_000) },
      })),
    );
    await archive(store, { olderThan: '60d', to: store.to, gzipLevel: 1 });
    const [name = ''] = fs.readdirSync(store.to).filter((each) => each.endsWith('.gz'));
    fs.rmSync(join(store.to, name));
    merged({ order: 'asc' });
    expect(warnings).toEqual([
      expect.stringMatching(
        /^archived rows are left out: .*\.jsonl\.gz is missing; "treeline archive verify"/,
      ),
    ]);
  });

  test('finds an archive that was moved by itself after the next run, and asks for the old place no more', async () => {
    await archive(store, { olderThan: '60d', to: store.to });
    const moved = join(store.folder, 'moved');
    fs.renameSync(store.to, moved);
    expect(merged({ order: 'asc' }).length).toBeLessThan(before.length);
    expect(warnings).toHaveLength(1);
    await archive(store, { olderThan: '60d', to: moved });
    expect(merged({ order: 'asc' })).toEqual(before);
    expect(warnings).toEqual([]);
  });

  test('finds the archive when store and archive were moved together', async () => {
    await archive(store, { olderThan: '60d', to: store.to });
    const moved = `${store.folder}-moved`;
    fs.renameSync(store.folder, moved);
    const reader = openMergedReader(join(moved, 'logs.db'));
    expect([...reader.iterate({ order: 'asc' })]).toEqual(before);
    reader.close();
    fs.renameSync(moved, store.folder);
  });
});

describe('openArchivedSource', () => {
  test('gives records and statistics of store and archive together', async () => {
    await archive(store, { olderThan: '60d', to: store.to });
    const source = openArchivedSource(store.path);
    const records = [];
    for await (const record of source.query({ order: 'asc', level: 50 })) records.push(record);
    expect(records).toEqual(before.filter(({ level }) => level >= 50).map(({ record }) => record));
    expect(await source.stats({})).toEqual({
      count: 3000,
      levels: { 30: 2940, 50: 60 },
      firstMs: before[0]?.ts,
      lastMs: before.at(-1)?.ts,
    });
    await source.close();
  });
});

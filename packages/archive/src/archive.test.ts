import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import zlib from 'node:zlib';
import BetterSqlite3 from 'better-sqlite3';
import { openLogReader } from '@treeline/sqlite';
import { acquireArchiveLease } from '@treeline/sqlite/archival';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { archive, type ArchiveNotice } from './archive.ts';
import { listArchive } from './list.ts';
import { createScratchStore, DAY_MS, daysOfRows, HOUR_MS, type ScratchStore } from './scratch-store.ts';
import { verifyArchive } from './verify.ts';

let store: ScratchStore;
beforeEach(() => {
  store = createScratchStore(daysOfRows(600, HOUR_MS));
});
afterEach(() => {
  vi.useRealTimers();
  store.remove();
});

const dataFiles = (folder: string): string[] => fs.readdirSync(folder).filter((name) => name.endsWith('.gz'));

describe('archive', () => {
  test('moves rows that are older into files that zcat reads, and leaves the others', async () => {
    const before = store.rows();
    const result = await archive(store, { olderThan: '10d', to: store.to });
    const [file = ''] = dataFiles(store.to);
    const lines = execFileSync('zcat', [join(store.to, file)], { encoding: 'utf8' })
      .trimEnd()
      .split('\n');
    const archived = lines.map((line) => JSON.parse(line) as { id: number; ts: number; payload: object });
    const isOld = ({ ts }: { ts: number }): boolean => ts < result.cutoffMs;
    expect(archived.map(({ id }) => id)).toEqual(before.filter(isOld).map(({ id }) => id));
    expect(archived[5]?.payload).toEqual(before[5]?.record);
    expect(store.rows()).toEqual(before.filter((row) => !isOld(row)));
    expect(result).toMatchObject({ deleted: archived.length, damaged: false });
    expect(await verifyArchive(store.to)).toMatchObject({ ok: true, rows: archived.length, findings: [] });
  });

  test('moves the watermark, keeps the counts right and gives the space back', async () => {
    const sizeBefore = fs.statSync(store.path).size;
    const { cutoffMs, segments } = await archive(store, { olderThan: '1d', to: store.to });
    const reader = openLogReader(store.path);
    expect(JSON.parse(reader.meta.get('archive_watermark') ?? '')).toMatchObject({
      cutoffMs,
      maxId: 600,
      segment: 1,
    });
    expect(reader.meta.get('archive_segment')).toBeUndefined();
    expect(reader.stats({}).count).toBe(600 - (segments[0]?.rows ?? 0));
    reader.close();
    const db = new BetterSqlite3(store.path);
    expect(db.prepare('SELECT sum(n) AS n FROM log_counts').get()).toEqual(
      db.prepare('SELECT count(*) AS n FROM logs').get(),
    );
    expect(db.pragma('freelist_count', { simple: true })).toBe(0);
    db.pragma('wal_checkpoint(TRUNCATE)');
    db.close();
    expect(fs.statSync(store.path).size).toBeLessThan(sizeBefore);
  });

  test('splits what is old into files of so many rows, each of which names the one before', async () => {
    const result = await archive(store, { olderThan: '10d', to: store.to, maxRowsPerFile: 100 });
    const files = listArchive(store.to);
    expect(files.map(({ segment, rows }) => [segment, rows])).toEqual(
      result.segments.map(({ rows }, index) => [index + 1, rows]),
    );
    expect(files.slice(0, -1).map(({ rows }) => rows)).toEqual([100, 100, 100]);
    expect(await verifyArchive(store.to)).toMatchObject({ ok: true, rows: result.deleted });
  });

  test('tells each file when its rows have gone, before the next one is begun', async () => {
    const told: string[] = [];
    const { segments } = await archive(
      store,
      { olderThan: '10d', to: store.to, maxRowsPerFile: 100 },
      {
        onSegment: ({ name }) => told.push(`done ${name}`),
        onProgress: ({ step, segment }) => {
          if (step === 'export' && told.at(-1) !== `begun ${segment}`) told.push(`begun ${segment}`);
        },
      },
    );
    expect(segments.length).toBeGreaterThan(2);
    expect(told).toEqual(segments.flatMap(({ name }) => [`begun ${name}`, `done ${name}`]));
  });

  test('takes rows that came late with the next run', async () => {
    const first = await archive(store, { olderThan: '10d', to: store.to });
    store.append([{ source: 'late', ts: Date.now() - 20 * DAY_MS }]);
    const second = await archive(store, { olderThan: '10d', to: store.to });
    expect(second.segments.map(({ rows }) => rows)).toEqual([1]);
    expect(await verifyArchive(store.to)).toMatchObject({ ok: true, rows: first.deleted + 1 });
    expect(await archive(store, { olderThan: '10d', to: store.to })).toMatchObject({
      segments: [],
      deleted: 0,
    });
  });

  test('bounds what it holds: members are cut by bytes and decompress by themselves', async () => {
    store.append(
      Array.from({ length: 8 }, (_, n) => ({
        source: 'large',
        ts: n,
        payload: { text: `${n}`.repeat(1_500_000) },
      })),
    );
    await archive(store, { olderThan: '10d', to: store.to, gzipLevel: 1 });
    const [name = ''] = fs.readdirSync(store.to).filter((each) => each.endsWith('manifest.json'));
    const manifest = JSON.parse(fs.readFileSync(join(store.to, name), 'utf8')) as {
      file: string;
      members: { offset: number; bytes: number; rawBytes: number }[];
    };
    expect(manifest.members.length).toBeGreaterThan(2);
    const data = fs.readFileSync(join(store.to, manifest.file));
    for (const { offset, bytes, rawBytes } of manifest.members) {
      expect(zlib.gunzipSync(data.subarray(offset, offset + bytes))).toHaveLength(rawBytes);
    }
  });

  test.each([
    [{ olderThan: '30' }, /olderThan: must have a unit, like "30d"; got "30"/],
    [{ olderThan: 'soon' }, /olderThan: duration must be/],
    [{ olderThan: -1 }, /olderThan: duration must be/],
    [{ to: '' }, /to: must be the path of a folder/],
    [{ gzipLevel: 10 }, /gzipLevel: must be a whole number from 1 to 9/],
    [{ maxRowsPerFile: 0 }, /maxRowsPerFile: must be a whole number from 1/],
  ])('refuses %j', async (wrong, message) => {
    const options = { olderThan: '10d', to: store.to, ...wrong };
    await expect(archive(store, options)).rejects.toThrow(message);
    expect(store.rows()).toHaveLength(600);
  });

  test('refuses a folder that is a file, and touches neither', async () => {
    fs.writeFileSync(store.to, 'precious');
    await expect(archive(store, { olderThan: '10d', to: store.to })).rejects.toMatchObject({
      code: 'DESTINATION_UNUSABLE',
      message: expect.stringContaining(`${store.to} can't be a folder (EEXIST)`),
    });
    expect(fs.readFileSync(store.to, 'utf8')).toBe('precious');
    expect(store.rows()).toHaveLength(600);
  });

  test('refuses a folder that a newer version wrote to, and deletes nothing', async () => {
    await archive(store, { olderThan: '20d', to: store.to });
    const left = store.rows().length;
    const [name = ''] = fs.readdirSync(store.to).filter((each) => each.endsWith('manifest.json'));
    const path = join(store.to, name);
    fs.writeFileSync(path, fs.readFileSync(path, 'utf8').replace('"version": 1', '"version": 2'));
    await expect(archive(store, { olderThan: '10d', to: store.to })).rejects.toMatchObject({
      code: 'ARCHIVE_UNUSABLE',
      message: expect.stringMatching(/has version 2, this version knows up to 1; update @treeline\/archive/),
    });
    expect(store.rows()).toHaveLength(left);
  });

  test('lets one archiver go on and tells the other who it is', async () => {
    const lease = acquireArchiveLease(store.path);
    await expect(archive(store, { olderThan: '10d', to: store.to })).rejects.toMatchObject({
      code: 'LEASE_HELD',
      message: expect.stringContaining(`process ${process.pid} on `),
    });
    lease.release();
    expect((await archive(store, { olderThan: '10d', to: store.to })).deleted).toBeGreaterThan(0);
  });

  test('says so when the clock was set back, and archives only what is older by it', async () => {
    const nowMs = Date.now();
    await archive(store, { olderThan: '20d', to: store.to });
    const left = store.rows();
    vi.useFakeTimers({ toFake: ['Date'], now: nowMs - 8 * DAY_MS });
    const notices: ArchiveNotice[] = [];
    const result = await archive(
      store,
      { olderThan: '10d', to: store.to },
      { onNotice: (notice) => notices.push(notice) },
    );
    expect(notices).toEqual([
      {
        kind: 'clock-set-back',
        message: expect.stringContaining(new Date(nowMs - 8 * DAY_MS).toISOString().slice(0, 16)),
      },
    ]);
    expect(store.rows()).toEqual(left.filter(({ ts }) => ts >= result.cutoffMs));
    expect(await verifyArchive(store.to)).toMatchObject({ ok: true });
  });

  test('has nothing to say about a store that never had a row', async () => {
    const fresh = createScratchStore();
    const notices: ArchiveNotice[] = [];
    await archive(fresh, { olderThan: '10d', to: fresh.to }, { onNotice: (notice) => notices.push(notice) });
    expect(notices).toEqual([]);
    fresh.append([{ source: 'first' }]);
    expect(fresh.rows().map(({ id }) => id)).toEqual([1]);
    fresh.remove();
  });

  test('leaves an empty file as it is', async () => {
    const path = join(store.folder, 'empty.db');
    fs.writeFileSync(path, '');
    await expect(archive(path, { olderThan: '10d', to: store.to })).rejects.toMatchObject({
      code: 'STORE_MISSING',
    });
    expect(fs.statSync(path).size).toBe(0);
  });

  test('goes on behind the archive when the store was put back from a backup', async () => {
    const backup = join(store.folder, 'backup.db');
    fs.copyFileSync(store.path, backup);
    store.append([{ source: 'a', ts: Date.now() - 15 * DAY_MS }]);
    await archive(store, { olderThan: '10d', to: store.to });
    for (const suffix of ['', '-wal', '-shm']) fs.rmSync(store.path + suffix, { force: true });
    fs.copyFileSync(backup, store.path);
    const notices: ArchiveNotice[] = [];
    await archive(store, { olderThan: '10d', to: store.to }, { onNotice: (notice) => notices.push(notice) });
    expect(notices.map(({ kind }) => kind)).toEqual(['store-set-back']);
    expect(listArchive(store.to).map(({ segment }) => segment)).toEqual([1, 2]);
    expect(await verifyArchive(store.to)).toMatchObject({ ok: true });
    store.append([{ source: 'next' }]);
    expect(store.rows().at(-1)?.id).toBe(602);
  });

  test('archives rows that the store evicts meanwhile as far as it can, and finishes', async () => {
    let evicted = 0;
    const result = await archive(
      store,
      { olderThan: '10d', to: store.to, maxRowsPerFile: 200 },
      {
        onProgress({ step, done }) {
          if (step !== 'export' || done === 0 || evicted > 0) return;
          // What maxBytes does: the oldest rows go.
          const db = new BetterSqlite3(store.path);
          db.exec(`BEGIN; INSERT OR REPLACE INTO meta VALUES ('archive_delete_upto', '50'); DELETE FROM logs WHERE id <= 50;
            DELETE FROM meta WHERE key = 'archive_delete_upto'; COMMIT`);
          evicted = 50;
          db.close();
        },
      },
    );
    expect(evicted).toBe(50);
    const verified = await verifyArchive(store.to);
    expect(verified).toMatchObject({ ok: true, rows: result.deleted + 50 });
  });
});

import fs from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { archive } from './archive.ts';
import { listArchive } from './list.ts';
import { restoreArchive } from './restore.ts';
import { createScratchStore, daysOfRows, HOUR_MS, type ScratchStore } from './scratch-store.ts';
import { verifyArchive } from './verify.ts';

let store: ScratchStore;
/** An archive of four files; each test works on a copy. */
let whole = '';
let folder = '';
let copies = 0;

beforeAll(async () => {
  store = createScratchStore(daysOfRows(500, HOUR_MS));
  whole = join(store.folder, 'whole');
  await archive(store, { olderThan: '4d', to: whole, maxRowsPerFile: 110 });
});
afterAll(() => store.remove());
beforeEach(() => {
  folder = join(store.folder, `copy-${copies++}`);
  fs.cpSync(whole, folder, { recursive: true });
});

const data = (segment: number): string => nameOf(segment, '.jsonl.gz');
const manifest = (segment: number): string => nameOf(segment, '.manifest.json');
const head = (): string => fs.readdirSync(folder).find((name) => name.endsWith('.head.json')) ?? '';

function nameOf(segment: number, suffix: string): string {
  const number = String(segment).padStart(6, '0');
  return fs.readdirSync(folder).find((name) => name.includes(`-${number}-`) && name.endsWith(suffix)) ?? '';
}

const edit = (name: string, change: (text: string) => string): void => {
  const path = join(folder, name);
  fs.writeFileSync(path, change(fs.readFileSync(path, 'utf8')));
};

function flipByte(name: string, share: number): void {
  const path = join(folder, name);
  const bytes = fs.readFileSync(path);
  const at = Math.floor(bytes.length * share);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  fs.writeFileSync(path, bytes);
}

describe('verifyArchive', () => {
  test('finds nothing wrong with what was written', async () => {
    const result = await verifyArchive(folder);
    expect(result).toMatchObject({ ok: true, segments: 4, findings: [] });
    expect(result.rows).toBeGreaterThan(330);
  });

  test.each<[string, () => string, () => string, RegExp]>([
    [
      'a flipped byte in the middle',
      () => data(2),
      () => (flipByte(data(2), 0.5), data(2)),
      /bytes were changed/,
    ],
    [
      'a flipped byte at the start',
      () => data(1),
      () => (flipByte(data(1), 0), data(1)),
      /bytes were changed/,
    ],
    [
      'a flipped byte at the end',
      () => data(4),
      () => (flipByte(data(4), 0.9999), data(4)),
      /bytes were changed/,
    ],
    [
      'a truncated file',
      () => data(3),
      () => (fs.truncateSync(join(folder, data(3)), 100), data(3)),
      /truncated: \d+ of \d+ bytes are missing/,
    ],
    [
      'a file that grew',
      () => data(3),
      () => (fs.appendFileSync(join(folder, data(3)), 'x'), data(3)),
      /1 bytes more/,
    ],
    ['an empty file', () => data(1), () => (fs.truncateSync(join(folder, data(1))), data(1)), /truncated/],
    ['a missing file', () => data(2), () => removed(data(2)), /it is missing/],
    [
      'a folder in place of a file, and goes on,',
      () => data(1),
      () => (removed(data(3)), fs.mkdirSync(join(folder, removed(data(1)))), ''),
      /it can't be read \(EISDIR\)/,
    ],
    [
      'a manifest whose count was edited',
      () => data(2),
      () => (edit(manifest(2), (text) => text.replace('"rows": 110', '"rows": 111')), data(2)),
      /rows is 110, its manifest says 111/,
    ],
    [
      'a manifest in the middle that was edited without contradiction',
      () => manifest(2),
      () => (edit(manifest(2), (text) => text.replace(/"createdMs": \d/, '"createdMs": 9')), manifest(2)),
      /chain is broken/,
    ],
    [
      'the last manifest, edited without contradiction',
      () => manifest(4),
      () => (edit(manifest(4), (text) => text.replace(/"createdMs": \d/, '"createdMs": 9')), manifest(4)),
      /is not the manifest that was written/,
    ],
    [
      'a manifest that is no JSON',
      () => manifest(1),
      () => (edit(manifest(1), (text) => text.slice(0, 50)), manifest(1)),
      /is not a manifest: it is no JSON object/,
    ],
    [
      'a manifest of a newer version',
      () => manifest(3),
      () => (edit(manifest(3), (text) => text.replace('"version": 1', '"version": 7')), manifest(3)),
      /has version 7, this version knows up to 1/,
    ],
    ['a missing manifest in the middle', () => '000002-…', () => removed(manifest(2)), /gap before/],
    [
      'a missing first segment',
      () => '000001-…',
      () => (removed(data(1)), removed(manifest(1))),
      /segment 1 is missing/,
    ],
    [
      'a missing last segment',
      () => '000004-…',
      () => (removed(data(4)), removed(manifest(4))),
      /segment 4 is missing: the archive goes up to 4/,
    ],
    ['a missing head', () => '.head.json', () => removed(head()), /nothing vouches for the last manifest/],
    [
      'a renamed segment',
      () => '2001-01-01T000000.000Z',
      () => renameSegment(2, (name) => name.replace(/_.*?Z/, '_2001-01-01T000000.000Z')),
      /was renamed or edited/,
    ],
  ])('names %s', async (_, file, damage, message) => {
    const wanted = file();
    damage();
    const { ok, findings } = await verifyArchive(folder);
    expect(ok).toBe(false);
    expect(
      findings
        .filter((finding) => finding.severity === 'damage' && finding.file.includes(wanted))
        .map((each) => each.message)
        .join('\n'),
    ).toMatch(message);
  });

  test('notes what an interrupted run left, which is no damage', async () => {
    fs.copyFileSync(join(folder, data(4)), join(folder, data(4).replace('-000004-', '-000005-')));
    const { ok, findings } = await verifyArchive(folder);
    expect(ok).toBe(true);
    expect(findings).toEqual([
      { severity: 'note', file: data(5), message: expect.stringContaining('it has no manifest') },
    ]);
  });

  test('tells a missing folder and an empty one from a good archive', async () => {
    await expect(verifyArchive(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'ARCHIVE_MISSING' });
    fs.mkdirSync(join(folder, 'empty'));
    await expect(verifyArchive(join(folder, 'empty'))).rejects.toMatchObject({ code: 'ARCHIVE_MISSING' });
    fs.writeFileSync(join(folder, 'file'), '');
    await expect(verifyArchive(join(folder, 'file'))).rejects.toMatchObject({ code: 'ARCHIVE_UNUSABLE' });
  });

  test('an edited manifest stays found when more was archived behind it', async () => {
    const again = createScratchStore(daysOfRows(200, HOUR_MS));
    await archive(again, { olderThan: '5d', to: again.to });
    folder = again.to;
    edit(manifest(1), (text) => text.replace(/"createdMs": \d/, '"createdMs": 9'));
    await archive(again, { olderThan: '1d', to: again.to });
    expect((await verifyArchive(folder)).findings).toMatchObject([
      { severity: 'damage', file: manifest(1), message: expect.stringContaining('chain is broken') },
    ]);
    again.remove();
  });
});

describe('restoreArchive', () => {
  test('gives the same rows with the same ids', async () => {
    const original = createScratchStore(daysOfRows(300, HOUR_MS));
    const before = original.rows();
    const { cutoffMs } = await archive(original, { olderThan: '3d', to: original.to, maxRowsPerFile: 100 });
    const scratch = createScratchStore();
    fs.rmSync(scratch.path);
    const result = await restoreArchive(original.to, { to: scratch.path });
    expect(result).toMatchObject({ ok: true, findings: [] });
    expect(scratch.rows()).toEqual(before.filter(({ ts }) => ts < cutoffMs));
    expect(await restoreArchive(original.to, { to: scratch.path })).toMatchObject({ restored: 0, ok: true });
    original.remove();
    scratch.remove();
  });

  test('restores all but what is damaged, and names that', async () => {
    const damaged = [data(2), data(3)];
    flipByte(data(2), 0.5);
    fs.rmSync(join(folder, data(3)));
    const { rows } = await verifyArchive(folder);
    const result = await restoreArchive(folder, { to: join(folder, 'scratch.db') });
    expect(result.ok).toBe(false);
    expect(result.restored).toBe(rows - 220);
    expect(result.findings.map(({ file }) => file)).toEqual(damaged);
  });

  test('refuses the store whose rows were archived, also when none is left there', async () => {
    const live = createScratchStore(daysOfRows(20, HOUR_MS));
    await archive(live, { olderThan: 0, to: live.to });
    expect(live.rows()).toEqual([]);
    await expect(restoreArchive(live.to, { to: live.path })).rejects.toMatchObject({
      code: 'DESTINATION_UNUSABLE',
      message: expect.stringContaining('is a store that is archived'),
    });
    // As before the first run, but for the rows.
    const emptied = createScratchStore();
    const db = new BetterSqlite3(emptied.path);
    const [{ store: storeId } = { store: '' }] = listArchive(live.to);
    db.prepare("UPDATE meta SET value = ? WHERE key = 'store_id'").run(storeId);
    db.close();
    await expect(restoreArchive(live.to, { to: emptied.path })).rejects.toMatchObject({
      code: 'DESTINATION_UNUSABLE',
    });
    for (const each of [live, emptied]) each.remove();
  });

  test('refuses a store that holds other rows', async () => {
    await expect(restoreArchive(folder, { to: store.path })).rejects.toMatchObject({
      code: 'DESTINATION_UNUSABLE',
    });
  });
});

function removed(name: string): string {
  fs.rmSync(join(folder, name));
  return name;
}

function renameSegment(segment: number, rename: (name: string) => string): string {
  for (const name of [data(segment), manifest(segment)]) {
    const text = fs.readFileSync(join(folder, name));
    fs.writeFileSync(join(folder, rename(name)), text);
    fs.rmSync(join(folder, name));
  }
  return data(segment);
}

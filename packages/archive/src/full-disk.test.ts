import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@treeline/contract';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { archive, type ArchiveProgress } from './archive.ts';
import { openMergedReader } from './merged-reader.ts';
import { createScratchStore, DAY_MS, daysOfRows, type ScratchStore } from './scratch-store.ts';
import { verifyArchive } from './verify.ts';

const ROWS = 4000;
const PAGE_BYTES = 4096;

let disk: ScratchStore;
let isMounted = false;
beforeEach(() => {
  disk = createScratchStore();
  isMounted = false;
  try {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk.folder], { stdio: 'ignore' });
    isMounted = true;
  } catch {
    // The test says that it is skipped.
  }
});
afterEach(() => {
  if (isMounted) execFileSync('/bin/umount', ['-l', disk.folder]);
  disk.remove();
});

/** Leaves so many pages free. */
function fillDisk(pages: number): void {
  const { bavail, bsize } = fs.statfsSync(disk.folder);
  fs.writeFileSync(
    join(disk.folder, 'filler'),
    Buffer.alloc(Math.max(0, bavail * bsize - pages * PAGE_BYTES)),
  );
}

type Step = ArchiveProgress['step'];

test.for<[string, 'archive' | 'store', Step | 'start', number]>([
  ['before the first byte', 'archive', 'start', 0],
  ['while rows are written', 'archive', 'start', 5],
  ['when the chain begins', 'archive', 'compare', 0],
  ['at the manifest', 'archive', 'compare', 1],
  ['at the head', 'archive', 'compare', 2],
  ['when the store is to note the file', 'store', 'compare', 0],
  ['while rows are deleted', 'store', 'delete', 0],
])(
  'a disk that is full %s: said, nothing lost, and the next run goes on',
  async ([, full, step, pages], { skip }) => {
    if (!isMounted) skip('mounting a small tmpfs needs root');
    const other = createScratchStore();
    // One of the two stands on the small disk.
    const store = createStoreOn(full === 'store' ? disk : other);
    const to = (full === 'archive' ? disk : other).to;
    let filled = false;
    const fill = (): void => {
      if (!filled) fillDisk(pages);
      filled = true;
    };
    if (step === 'start') fill();
    const failed = await archive(
      store,
      { olderThan: '1d', to, gzipLevel: 1 },
      {
        onProgress(progress) {
          if (progress.step === step && (step === 'delete' || progress.done === progress.total)) fill();
        },
      },
    ).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failed).toMatchObject({ code: 'DESTINATION_UNUSABLE' });
    expect(messageOf(failed)).toMatch(/the disk is full; make room on it/);
    expect(fs.existsSync(to) ? fs.readdirSync(to).filter((name) => name.endsWith('.tmp')) : []).toEqual([]);
    expect(indexesOf(store.path)).toEqual(Array.from({ length: ROWS }, (_, index) => index));
    fs.rmSync(join(disk.folder, 'filler'));
    await archive(store, { olderThan: '1d', to, gzipLevel: 1 });
    expect(await verifyArchive(to)).toMatchObject({ ok: true, findings: [] });
    expect(indexesOf(store.path)).toEqual(Array.from({ length: ROWS }, (_, index) => index));
    expect(store.rows().every(({ ts }) => ts > Date.now() - 1.1 * DAY_MS)).toBe(true);
    other.remove();
  },
);

function createStoreOn(scratch: ScratchStore): ScratchStore {
  scratch.append(daysOfRows(ROWS, 60_000));
  return scratch;
}

function indexesOf(path: string): number[] {
  const reader = openMergedReader(path);
  const indexes = Array.from(reader.iterate(), ({ record }) => Number(record.index));
  reader.close();
  return indexes.toSorted((a, b) => a - b);
}

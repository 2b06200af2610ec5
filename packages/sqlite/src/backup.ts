import fs from 'node:fs';
import { dirname } from 'node:path';
import { TreelineError } from '@treeline/contract';
import { openReadOnlyDatabase } from './database.ts';

/** How far a backup has come. */
export interface BackupProgress {
  readonly totalPages: number;
  readonly remainingPages: number;
}

/** Pages between two turns of the event loop: some 5 ms. */
const PAGES_PER_STEP = 2000;

/**
 * Copies a store, as it is now, to a new file; durable when it resolves. It reads one snapshot, so that a program that goes on writing
 * does not make it begin again and again; the write-ahead log can't be emptied for that time.
 */
export async function backupStore(
  path: string,
  target: string,
  onProgress: (progress: BackupProgress) => void = () => undefined,
): Promise<void> {
  if (fs.existsSync(target)) {
    throw new TreelineError(
      'DESTINATION_UNUSABLE',
      `${target} is there already; choose another name for the backup`,
    );
  }
  fs.mkdirSync(dirname(target), { recursive: true });
  const partial = `${target}.partial`;
  fs.rmSync(partial, { force: true });
  const db = openReadOnlyDatabase(path, { busyTimeoutMs: 50 });
  try {
    db.exec('BEGIN; SELECT 1 FROM meta');
    await db.backup(partial, {
      progress(progress) {
        onProgress(progress);
        return PAGES_PER_STEP;
      },
    });
  } finally {
    db.close();
  }
  syncFile(partial);
  // Not over a file that came in between.
  fs.linkSync(partial, target);
  fs.unlinkSync(partial);
  syncFile(dirname(target));
}

function syncFile(path: string): void {
  const fd = fs.openSync(path, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

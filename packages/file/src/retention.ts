import fs from 'node:fs/promises';
import path from 'node:path';
import type { Calendar } from './calendar.ts';
import { codeOf } from './log-file.ts';
import { compareAge, type DatedName, type NameGrammar } from './name-grammar.ts';
import { emptyWhereMissing } from './side-folder.ts';

/** What of the rotated files is kept; all limits hold at once. */
export interface Retention {
  readonly maxFiles?: number | undefined;
  readonly maxAge?: number | undefined;
  readonly maxTotalSize?: number | undefined;
  readonly minFreeDisk?: number | undefined;
}

/** A rotated file as it lies in the folder. */
export interface RotatedFile extends DatedName {
  readonly path: string;
  readonly bytes: number;
  readonly inode: bigint;
  readonly modifiedMs: number;
}

/** The rotated files of one log, oldest first, found by their names alone: there is no list that could be out of date. */
export async function listRotated(names: NameGrammar): Promise<RotatedFile[]> {
  const found: RotatedFile[] = [];
  for (const file of await fs.readdir(names.directory).catch(emptyWhereMissing)) {
    const name = names.parse(file);
    if (!name) continue;
    const filePath = path.join(names.directory, file);
    const stat = await fs.lstat(filePath, { bigint: true }).catch(() => undefined);
    if (!stat?.isFile()) continue;
    const { size, ino, mtimeMs } = stat;
    found.push({ ...name, path: filePath, bytes: Number(size), inode: ino, modifiedMs: Number(mtimeMs) });
  }
  // Where names have no date, only the files themselves tell their order.
  const allDated = found.every(({ date }) => date !== '');
  return found.toSorted(allDated ? compareAge : (a, b) => a.modifiedMs - b.modifiedMs);
}

/** What a folder holds beside the rotated files, and what time it is. */
export interface RetentionState {
  readonly nowMs: number;
  readonly calendar: Pick<Calendar, 'endOf'>;
  /** The size of the current file, which is never deleted. */
  readonly currentBytes: number;
  /** What is free on the disk. */
  readonly freeBytes: number;
}

/** The files that have to go, of rotated files that stand oldest first. */
export function chooseExpired(
  files: readonly RotatedFile[],
  retention: Retention,
  { nowMs, calendar, currentBytes, freeBytes }: RetentionState,
): RotatedFile[] {
  const { maxFiles = Infinity, maxAge = Infinity, maxTotalSize = Infinity, minFreeDisk = 0 } = retention;
  let count = files.length;
  let bytes = files.reduce((sum, file) => sum + file.bytes, currentBytes);
  let free = freeBytes;
  const expired: RotatedFile[] = [];
  for (const file of files) {
    const end = calendar.endOf(file.date);
    const isOld = nowMs - Math.max(Number.isNaN(end) ? -Infinity : end, file.modifiedMs) > maxAge;
    if (!isOld && count <= maxFiles && bytes <= maxTotalSize && free >= minFreeDisk) continue;
    expired.push(file);
    count--;
    bytes -= file.bytes;
    free += file.bytes;
  }
  return expired;
}

/** The bytes that an unprivileged process may still use on a folder's disk. */
export async function readFreeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await fs.statfs(directory);
  return bavail * bsize;
}

/** Deletes files; what somebody else has deleted is no fault. The first fault of another kind is thrown when all have been tried. */
export async function deleteFiles(files: readonly RotatedFile[]): Promise<void> {
  let fault: unknown;
  for (const file of files) {
    await fs.unlink(file.path).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') fault ??= error;
    });
  }
  if (fault !== undefined) throw fault;
}

import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, TreelineError } from '@treeline/contract';
import { statIfThere } from './log-file.ts';
import { DIRECTORY_MODE, SideFolder } from './side-folder.ts';
import { listWriters, rotationRequest } from './writer-registry.ts';

const POLL_MS = 50;

export interface RotationRequest {
  /** How long to wait for the processes to answer; they look once a second. @default 5000 */
  readonly timeoutMs?: number;
}

/**
 * Asks the processes that write a log to rotate now, and resolves when they have. The log is named by its `path` as the options have it,
 * also with `%DATE%` and `%INDEX%`, by the file that is being written, or by a link to that.
 * With `splitBy` the path as the options have it means all of its files.
 *
 * @returns the paths that the rotated files had; none where they were empty.
 * @throws TreelineError `DESTINATION_UNUSABLE` where no process writes the log, or it could not rotate; `TIMEOUT` where one has not
 * answered.
 */
export async function requestRotation(
  logPath: string,
  { timeoutMs = 5_000 }: RotationRequest = {},
): Promise<string[]> {
  const file = await resolveLog(logPath);
  const asked = await ask(file).catch((error: unknown) => {
    const message = `can't ask for a rotation of ${file}: ${messageOf(error)}`;
    throw new TreelineError('DESTINATION_UNUSABLE', message, { cause: error });
  });
  if (asked.length === 0)
    throw new TreelineError(
      'DESTINATION_UNUSABLE',
      `no process writes ${file}: name the path as the config has it`,
    );
  const files = new Set<string>();
  const deadlineMs = performance.now() + timeoutMs;
  try {
    for (const request of asked) {
      await answered(request, file, { timeoutMs, deadlineMs });
      if (request.file !== undefined) files.add(request.file);
    }
  } finally {
    await Promise.all(asked.map(({ folder, writerId }) => folder.remove(rotationRequest(folder, writerId))));
  }
  return [...files];
}

/** What one writer was asked; `file` is the one that it writes, undefined where there is nothing in it to rotate. */
interface Asked {
  readonly folder: SideFolder;
  readonly writerId: string;
  readonly inode: bigint;
  readonly file: string | undefined;
}

async function resolveLog(logPath: string): Promise<string> {
  const asked = path.resolve(logPath);
  const directory = await fs.realpath(path.dirname(asked)).catch(() => path.dirname(asked));
  return fs.realpath(asked).catch(() => path.join(directory, path.basename(asked)));
}

/** Asks those that write the log of this path, and those that write this file under another name. */
async function ask(file: string): Promise<Asked[]> {
  const there = await statIfThere(file);
  const filled = await filledFiles(path.dirname(file));
  const asked: Asked[] = [];
  const parts = await new SideFolder(file, DIRECTORY_MODE).keys('part');
  for (const folder of await SideFolder.list(path.dirname(file))) {
    const clock = folder.file('rotate', `asked-${randomBytes(4).toString('hex')}`);
    await folder.write(clock, '');
    const writers = await listWriters(folder, clock);
    await folder.remove(clock);
    for (const { id, inode } of writers) {
      const isMeant = folder.logPath === file || parts.includes(path.basename(folder.logPath));
      if (inode === undefined || (!isMeant && inode !== there?.ino)) continue;
      const filledFile = filled.get(inode);
      if (filledFile !== undefined) await folder.write(rotationRequest(folder, id), String(inode));
      asked.push({ folder, writerId: id, inode, file: filledFile });
    }
  }
  return asked;
}

/** The files of a folder that are not empty, by their inode. */
async function filledFiles(directory: string): Promise<Map<bigint, string>> {
  const files = new Map<bigint, string>();
  for (const name of await fs.readdir(directory)) {
    const stat = await fs.lstat(path.join(directory, name), { bigint: true }).catch(() => undefined);
    if (stat?.isFile() && stat.size > 0n) files.set(stat.ino, path.join(directory, name));
  }
  return files;
}

async function answered(
  { folder, writerId, inode, file }: Asked,
  log: string,
  { timeoutMs, deadlineMs }: { readonly timeoutMs: number; readonly deadlineMs: number },
): Promise<void> {
  if (file === undefined) return;
  while (await statIfThere(rotationRequest(folder, writerId))) {
    if (performance.now() > deadlineMs)
      throw new TreelineError('TIMEOUT', `${writerId} has not rotated ${log} within ${timeoutMs} ms`);
    await sleep(POLL_MS);
  }
  const still = (await listWriters(folder, folder.file('writer', writerId))).find(
    ({ id }) => id === writerId,
  );
  if (still?.inode === inode)
    throw new TreelineError(
      'DESTINATION_UNUSABLE',
      `${writerId} could not rotate ${file}: it tells why on its stderr`,
    );
}

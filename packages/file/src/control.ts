import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TreelineError } from '@treeline/contract';
import { statIfThere } from './log-file.ts';
import { SideFolder } from './side-folder.ts';

const POLL_MS = 50;

export interface RotationRequest {
  /** How long to wait for a process to answer; they look once a second. @default 5000 */
  readonly timeoutMs?: number;
}

/**
 * Asks the processes that write a log file to rotate it now; resolves when one has.
 *
 * @throws TreelineError `DESTINATION_UNUSABLE` where there is no such file, or nothing in it; `TIMEOUT` where no process has answered.
 */
export async function requestRotation(
  logPath: string,
  { timeoutMs = 5_000 }: RotationRequest = {},
): Promise<void> {
  const file = await fs.realpath(logPath).catch(() => path.resolve(logPath));
  const before = await statIfThere(file);
  if (!before?.isFile())
    throw new TreelineError('DESTINATION_UNUSABLE', `${file} is no file: name the log file itself`);
  if (before.size === 0n)
    throw new TreelineError('DESTINATION_UNUSABLE', `${file} is empty: there is nothing to rotate`);
  const folder = new SideFolder(file, 0o750);
  const request = folder.file('rotate');
  await folder.write(request, String(before.ino));
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += POLL_MS) {
    if ((await statIfThere(file))?.ino !== before.ino) return;
    await sleep(POLL_MS);
  }
  await folder.remove(request);
  throw new TreelineError(
    'TIMEOUT',
    `nobody rotated ${file} within ${timeoutMs} ms: does a process write it?`,
  );
}

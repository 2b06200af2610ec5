import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createStream } from 'rotating-file-stream';
import { codeOf, statIfThere, type LogFile } from './log-file.ts';
import type { NameGrammar } from './name-grammar.ts';
import type { SideFolder } from './side-folder.ts';

/** A rotation takes some milliseconds: who holds a claim for so long has died, or will find its file gone. */
const CLAIM_PATIENCE_MS = 2_000;
const CLAIM_POLL_MS = 5;

export interface RotationOptions {
  readonly names: NameGrammar;
  readonly folder: SideFolder;
  readonly mode: number;
  readonly date: string;
  /** Whether the first file of a date has an index. */
  readonly isIndexed: boolean;
  /** Called when it is certain that this process does it. */
  readonly beforeMove: () => Promise<void>;
}

/**
 * Gives the current file its dated name and begins a new one. Of several processes one does it, the others return when it is done.
 *
 * @returns whether this process did it.
 */
export async function rotate(file: LogFile, options: RotationOptions): Promise<boolean> {
  const { names, folder } = options;
  const claim = await claimFile(file, folder);
  if (claim === undefined) return false;
  try {
    const { index, claim: nameClaim } = await claimName(options);
    try {
      const target = path.join(names.directory, names.format(options.date, index));
      if ((await file.place()).at !== 'path' || (await statIfThere(target))) return false;
      await options.beforeMove();
      await move(file.path, target, options.mode);
    } finally {
      await folder.remove(nameClaim);
    }
  } finally {
    await folder.remove(claim);
  }
  return true;
}

/** Makes this process the one that rotates a file; undefined where another one has done so. */
async function claimFile(file: LogFile, folder: SideFolder): Promise<string | undefined> {
  const claim = folder.file('rotating', `inode-${file.inode}`);
  for (let waitedMs = 0; ; waitedMs += CLAIM_POLL_MS) {
    if (await folder.claim(claim)) return claim;
    if (waitedMs >= CLAIM_PATIENCE_MS) await folder.remove(claim);
    await sleep(CLAIM_POLL_MS);
    if ((await file.place()).at !== 'path') return undefined;
  }
}

/**
 * Makes this process the only one to use a name, so that no rotated file is ever written over: not even by a process that was stopped
 * in the middle of a rotation, lost its claim on the file, and goes on a day later.
 */
async function claimName({
  names,
  folder,
  date,
  isIndexed,
}: RotationOptions): Promise<{ index: number; claim: string }> {
  for (let index = await nextIndex(names, date, isIndexed); ; index++) {
    const claim = folder.file('rotating', names.format(date, index));
    if (await folder.claim(claim)) return { index, claim };
  }
}

/** The index behind all that exist for a date, compressed files included. */
async function nextIndex(names: NameGrammar, date: string, isIndexed: boolean): Promise<number> {
  const taken = (await fs.readdir(names.directory))
    .map((file) => names.parse(file))
    .filter((name) => name?.date === date)
    .map((name) => name?.index ?? 0);
  return Math.max(isIndexed ? 0 : -1, ...taken) + 1;
}

/**
 * rotating-file-stream does the moving: it rotates when it opens a file that has reached its size, here of one byte. It is asked for no
 * more than that, since it takes a short write for a whole one, and closes for good on the first error.
 */
function move(current: string, target: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = createStream((time) => (time ? target : current), { size: '1B', mode });
    stream.on('open', () => {
      setMode(current, mode).then(
        () => stream.end(),
        (error: Error) => stream.destroy(error),
      );
    });
    stream.on('error', reject);
    stream.on('close', resolve);
  });
}

/** A file's first mode is subject to the umask. Others may have filled and rotated it already. */
async function setMode(file: string, mode: number): Promise<void> {
  await fs.chmod(file, mode).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
}

import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createStream } from 'rotating-file-stream';
import type { LogFile } from './log-file.ts';
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
  /** Where to begin looking for an index that is free. */
  readonly likelyIndex: number;
  /** Called when it is certain that this process does it. */
  readonly beforeMove: () => Promise<void>;
}

/**
 * Gives the current file its dated name and begins a new one. Of several processes one does it, the others return when it is done.
 *
 * @returns the index in the new name, undefined where this process was not the one.
 */
export async function rotate(file: LogFile, options: RotationOptions): Promise<number | undefined> {
  const { names, folder } = options;
  const claim = await claimFile(file, folder);
  if (claim === undefined) return undefined;
  try {
    const { index, claim: nameClaim } = await claimName(options);
    try {
      if (file.place().at !== 'path') return undefined;
      await options.beforeMove();
      await move(file.path, path.join(names.directory, names.format(options.date, index)), options);
      return index;
    } finally {
      folder.removeSoon(nameClaim);
    }
  } finally {
    folder.removeSoon(claim);
  }
}

/** Makes this process the one that rotates a file; undefined where another one has done so. */
async function claimFile(file: LogFile, folder: SideFolder): Promise<string | undefined> {
  const claim = folder.file('rotating', `inode-${file.inode}`);
  const patienceEndMs = performance.now() + CLAIM_PATIENCE_MS;
  for (;;) {
    if (await folder.claim(claim)) return claim;
    if (performance.now() >= patienceEndMs) await folder.remove(claim);
    await sleep(CLAIM_POLL_MS);
    if (file.place().at !== 'path') return undefined;
  }
}

/**
 * Makes this process the only one to use a name, so that no rotated file is ever written over: not even by a process that was stopped
 * in the middle of a rotation, lost its claim on the file, and goes on a day later. The folder is read under the claim, since what has
 * that index may have been compressed meanwhile.
 */
async function claimName(options: RotationOptions): Promise<{ index: number; claim: string }> {
  const { names, folder, date } = options;
  for (let index = options.likelyIndex; ;) {
    const claim = folder.file('rotating', names.format(date, index));
    if (!(await folder.claim(claim))) {
      index++;
      continue;
    }
    const next = await nextIndex(options);
    if (next <= index) return { index, claim };
    folder.removeSoon(claim);
    index = next;
  }
}

/** The index behind all that exist for a date, compressed files included. */
async function nextIndex({ names, date, isIndexed }: RotationOptions): Promise<number> {
  let next = isIndexed ? 1 : 0;
  for (const file of await fs.readdir(names.directory)) {
    const name = names.parse(file);
    if (name?.date === date && name.index >= next) next = name.index + 1;
  }
  return next;
}

/**
 * rotating-file-stream does the moving: it rotates when it opens a file that has reached its size, here of one byte. It is asked for no
 * more than that, since it takes a short write for a whole one, and closes for good on the first error.
 */
function move(current: string, target: string, { folder, mode }: RotationOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = createStream((time) => (time ? target : current), { size: '1B', mode });
    const closed = new Promise<void>((done) => stream.on('close', done));
    stream.on('open', () => {
      folder.soon(closed);
      stream.end();
      resolve();
    });
    stream.on('error', reject);
  });
}

import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createStream } from 'rotating-file-stream';
import { statIfThere, type LogFile } from './log-file.ts';
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
  beforeMove(): Promise<void>;
}

/**
 * Gives the current file its dated name and begins a new one. Of several processes one does it, the others return when it is done:
 * who makes the claim on a name is the only one to use that name, so that no rotated file is ever written over, and who finds that the
 * path leads to another file by then leaves it alone.
 *
 * @returns whether this process did it.
 */
export async function rotate(file: LogFile, options: RotationOptions): Promise<boolean> {
  const { names, folder, date } = options;
  const claimed = await claimName(file, options);
  if (claimed === undefined) return false;
  try {
    const target = path.join(names.directory, names.format(date, claimed.index));
    const isCurrent = (await file.place()).at === 'path';
    if (!isCurrent || (await statIfThere(target))) return false;
    await options.beforeMove();
    await move(file.path, target, options.mode);
    return true;
  } finally {
    await folder.remove(claimed.claim);
  }
}

/** Undefined where somebody else has rotated the file. */
async function claimName(
  file: LogFile,
  { names, folder, date, isIndexed }: RotationOptions,
): Promise<{ index: number; claim: string } | undefined> {
  let index = await nextIndex(names, date, isIndexed);
  let patienceMs = CLAIM_PATIENCE_MS;
  for (;;) {
    const claim = folder.file('rotating', names.format(date, index));
    if (await folder.claim(claim)) return { index, claim };
    await sleep(CLAIM_POLL_MS);
    if ((await file.place()).at !== 'path') return undefined;
    patienceMs -= CLAIM_POLL_MS;
    if (patienceMs > 0) continue;
    index = await nextIndex(names, date, isIndexed, index);
    patienceMs = CLAIM_PATIENCE_MS;
  }
}

/** The index behind all that exist for a date, compressed files included, and behind `last`. */
async function nextIndex(names: NameGrammar, date: string, isIndexed: boolean, last = -1): Promise<number> {
  const taken = (await fs.readdir(names.directory))
    .map((file) => names.parse(file))
    .filter((name) => name?.date === date)
    .map((name) => name?.index ?? 0);
  return Math.max(isIndexed ? 0 : -1, last, ...taken) + 1;
}

/**
 * rotating-file-stream does the moving: it rotates when it opens a file that has reached its size, here of one byte. It is asked for no
 * more than that, since it takes a short write for a whole one, and closes for good on the first error.
 */
function move(current: string, target: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = createStream((time) => (time ? target : current), { size: '1B', mode });
    stream.on('open', () => {
      // Its mode is subject to the umask.
      fs.chmod(current, mode).then(() => stream.end(), (error: Error) => stream.destroy(error));
    });
    stream.on('error', reject);
    stream.on('close', resolve);
  });
}

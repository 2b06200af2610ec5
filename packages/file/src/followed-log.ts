import fs, { type FileHandle } from 'node:fs/promises';
import { createBatch, LineSplitter, type Batch } from '@treeline/contract';
import { openListed, readForwards } from './line-reader.ts';
import { openChain, type ChainFile, type LogChain } from './log-chain.ts';

const BLOCK_BYTES = 256 * 1024;

/** How long a rotated file is still looked at: of several processes, some write their next batch into it. */
const LATE_MS = 3_000;

/** A file that is open where its end was. */
interface Tail {
  readonly handle: FileHandle;
  readonly inode: bigint;
  readonly isDated: boolean;
  splitter: LineSplitter;
  position: number;
}

/** Called for a file that can't be read to its end. */
export type Damaged = (file: string, error: unknown) => void;

/** One log whose lines are given as they are written, through rotation and compression. */
export class FollowedLog {
  #tail: Tail | undefined;
  /** Files that were rotated, and until when they are looked at. */
  #rotated: { readonly tail: Tail; readonly untilMs: number }[] = [];
  #known = new Set<string>();

  /** Begins where the log ends now. */
  async skip(chain: LogChain, list: () => Promise<LogChain[]>): Promise<void> {
    const { files, current } = await openChain(chain, list);
    this.#known = new Set(files.map(nameOf));
    const last = files.at(-1);
    if (last && last === current?.file) this.#tail = tailOf(last, current.handle);
    else {
      await current?.handle.close();
      this.#tail = last && (await openTail(last));
    }
    if (this.#tail) this.#tail.position = (await this.#tail.handle.stat()).size;
  }

  /** The lines that were written since the last call. */
  async *read(files: readonly ChainFile[], damaged: Damaged): AsyncGenerator<Batch> {
    for (const { tail } of this.#rotated) yield* drain(tail);
    if (this.#tail) yield* drain(this.#tail);
    const last = files.at(-1);
    if (last && last.inode !== this.#tail?.inode) {
      const unread = this.#unread(files.slice(0, -1));
      if (this.#tail) this.#rotated.push({ tail: this.#tail, untilMs: performance.now() + LATE_MS });
      this.#tail = undefined;
      for (const file of unread) yield* readWhole(file, damaged);
      if (last.compressed === undefined) this.#tail = await openTail(last);
      else if (!this.#known.has(nameOf(last))) yield* readWhole(last, damaged);
    }
    this.#known = new Set(files.map(nameOf));
    await this.#letGo(performance.now());
  }

  async close(): Promise<void> {
    await this.#letGo(Infinity);
    await this.#tail?.handle.close();
  }

  /** The files between the one that is open and the last: they were begun and rotated since the last look. */
  #unread(files: readonly ChainFile[]): ChainFile[] {
    const fresh = files.filter((file) => !this.#known.has(nameOf(file)));
    const tail = this.#tail;
    if (!tail || tail.isDated) return fresh;
    const others = fresh.filter(({ inode }) => inode !== tail.inode);
    // The first of the new names is that of the open file, which may have been compressed already.
    return others.length === fresh.length && fresh[0]?.compressed !== undefined ? fresh.slice(1) : others;
  }

  async #letGo(nowMs: number): Promise<void> {
    const done = this.#rotated.filter(({ untilMs }) => nowMs > untilMs);
    this.#rotated = this.#rotated.filter((each) => !done.includes(each));
    await Promise.all(done.map(({ tail }) => tail.handle.close()));
  }
}

/** A file's name before compression. */
function nameOf({ file, compressed }: ChainFile): string {
  return compressed === undefined ? file : file.slice(0, -compressed.length - 1);
}

/** Undefined where the file has been rotated since it was listed: it is found by its new name at the next look, in its turn. */
async function openTail(file: ChainFile): Promise<Tail | undefined> {
  const { path, compressed, inode } = file;
  const handle = compressed === undefined ? await fs.open(path, 'r').catch(() => undefined) : undefined;
  if (!handle) return undefined;
  if ((await handle.stat({ bigint: true })).ino !== inode) {
    await handle.close();
    return undefined;
  }
  return tailOf(file, handle);
}

function tailOf({ inode, date }: ChainFile, handle: FileHandle): Tail {
  return { handle, inode, isDated: date !== '', splitter: new LineSplitter(), position: 0 };
}

async function* drain(tail: Tail): AsyncGenerator<Batch> {
  const { size } = await tail.handle.stat();
  // Somebody has emptied the file: logrotate's copytruncate does.
  if (size < tail.position) Object.assign(tail, { position: 0, splitter: new LineSplitter() });
  for (;;) {
    const { buffer, bytesRead } = await tail.handle.read(
      Buffer.allocUnsafe(BLOCK_BYTES),
      0,
      BLOCK_BYTES,
      tail.position,
    );
    if (bytesRead === 0) return;
    tail.position += bytesRead;
    const lines = tail.splitter.push(buffer.subarray(0, bytesRead));
    if (lines) yield createBatch(lines);
  }
}

async function* readWhole({ path, compressed }: ChainFile, damaged: Damaged): AsyncGenerator<Batch> {
  const opened = await openListed(path, compressed);
  if (!opened) return;
  try {
    yield* readForwards(opened.handle, opened.compressed);
  } catch (error) {
    damaged(path, error);
  } finally {
    await opened.handle.close();
  }
}

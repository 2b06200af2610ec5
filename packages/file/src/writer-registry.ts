import { randomBytes } from 'node:crypto';
import { fstatSync } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import os from 'node:os';
import type { SideFolder } from './side-folder.ts';

/** How often a writer shows that it lives, and after how long a silence it counts as dead. */
export const HEARTBEAT_MS = 2_000;
const DEAD_AFTER_MS = 15_000;

/** All entries are of one length, so that a new one replaces the old one whole. */
const ENTRY_DIGITS = 20;

/** What asks a writer to rotate; it holds the inode of the file that is meant. */
export function rotationRequest(folder: SideFolder, writerId: string): string {
  return folder.file('rotate', writerId);
}

/** One who writes a log file. Process ids mean nothing across containers: the id is unique by itself. */
export interface Writer {
  readonly id: string;
  /** The file that it holds; undefined where that can't be told. */
  readonly inode: bigint | undefined;
}

/** Who writes a log file, and which file each of them holds: one entry in the side folder for each writer, with a heartbeat. */
export class WriterRegistry {
  readonly id: string;
  readonly #folder: SideFolder;
  readonly #entry: string;
  #held: bigint | undefined;
  #isAlone = true;
  #handle: Promise<FileHandle> | undefined;

  constructor(folder: SideFolder) {
    this.#folder = folder;
    this.id = `${os.hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
    this.#entry = folder.file('writer', this.id);
  }

  /** Tells which file this writer holds from now on. */
  async hold(inode: bigint): Promise<void> {
    this.#held = inode;
    await this.beat();
  }

  /**
   * The files that living writers hold, this one included; undefined where one can't be told. What was listed before the call and is not
   * held can't become held: who opens a file says so before it looks whether the file still has its place.
   */
  async heldInodes(): Promise<Set<bigint> | undefined> {
    const writers = await this.others();
    const inodes = [this.#held, ...writers.map(({ inode }) => inode)];
    return inodes.includes(undefined) ? undefined : new Set(inodes.filter((inode) => inode !== undefined));
  }

  /** Whether no other writer was seen the last time. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  async beat(): Promise<void> {
    if (this.#held === undefined) return;
    const handle = await this.#openEntry();
    await handle.write(`${this.#held}`.padStart(ENTRY_DIGITS) + '\n', 0);
  }

  async leave(): Promise<void> {
    this.#held = undefined;
    const handle = await this.#handle;
    this.#handle = undefined;
    await handle?.close();
    await this.#folder.remove(this.#entry);
  }

  /** Somebody may have deleted the folder. */
  async #openEntry(): Promise<FileHandle> {
    const before = this.#handle;
    const handle = await before;
    if (handle && fstatSync(handle.fd).nlink > 0) return handle;
    if (before === this.#handle) {
      this.#handle = this.#folder.openForWriting(this.#entry);
      this.#handle.catch(() => (this.#handle = undefined));
      await handle?.close();
    }
    return this.#openEntry();
  }

  /** The writers that live, this one left out. */
  async others(): Promise<Writer[]> {
    await this.beat();
    const others = (await listWriters(this.#folder, this.#entry)).filter(({ id }) => id !== this.id);
    this.#isAlone = others.length === 0;
    return others;
  }
}

/** The writers that live. Entries of dead ones are removed. `now` is a side file that was written just now. */
export async function listWriters(folder: SideFolder, now: string): Promise<Writer[]> {
  const living: Writer[] = [];
  for (const id of await folder.keys('writer')) {
    const file = folder.file('writer', id);
    const age = await folder.ageMs(file, now);
    if (age === undefined) continue;
    if (age > DEAD_AFTER_MS) await folder.remove(file);
    else living.push({ id, inode: await readInode(file) });
  }
  return living;
}

async function readInode(file: string): Promise<bigint | undefined> {
  // An entry that is being written is empty for a moment.
  const text = await fs.readFile(file, 'utf8').catch(() => '');
  return /^ *\d+\n$/.test(text) ? BigInt(text.trim()) : undefined;
}

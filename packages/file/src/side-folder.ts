import { createHash } from 'node:crypto';
import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, makeDirectory, statIfThere, undefinedWhereMissing } from './log-file.ts';

const FOLDER = '.treeline';

/** What file systems take: https://man7.org/linux/man-pages/man3/limits.h.0p.html (NAME_MAX) */
const MAX_NAME_BYTES = 255;

/** For readers, who find the folder there or don't. */
export const DIRECTORY_MODE = 0o750;

/**
 * `.treeline/` beside a log file: what the processes that write it tell each other. Its files are named by the log file's own name,
 * which is the same in every container that sees the folder.
 */
export class SideFolder {
  readonly path: string;
  readonly logPath: string;
  readonly #base: string;
  readonly #dirMode: number;
  readonly #underWay = new Set<Promise<void>>();

  constructor(logPath: string, dirMode: number) {
    this.logPath = logPath;
    this.path = path.join(path.dirname(logPath), FOLDER);
    this.#base = path.basename(logPath);
    this.#dirMode = dirMode;
  }

  /** One for each log of a folder that processes write, or have written until they died. */
  static async list(directory: string): Promise<SideFolder[]> {
    const files = await fs.readdir(path.join(directory, FOLDER)).catch(emptyWhereMissing);
    const logs = files.flatMap((file) => /^(.+)\.writer\.[^/]+$/.exec(file)?.[1] ?? []);
    return [...new Set(logs)].map((log) => new SideFolder(path.join(directory, log), DIRECTORY_MODE));
  }

  /** The path of a side file; `kind` tells what it is for, `key` which of its kind: a digest of it where the name would be too long. */
  file(kind: string, key?: string): string {
    const stem = `${this.#base}.${kind}`;
    if (key === undefined) return path.join(this.path, stem);
    const name = `${stem}.${key}`;
    if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return path.join(this.path, name);
    return path.join(this.path, `${stem}.~${createHash('sha256').update(key).digest('hex').slice(0, 32)}`);
  }

  /** The keys of the side files of a kind. */
  async keys(kind: string): Promise<string[]> {
    const prefix = `${this.#base}.${kind}.`;
    const files = await fs.readdir(this.path).catch(emptyWhereMissing);
    return files.filter((file) => file.startsWith(prefix)).map((file) => file.slice(prefix.length));
  }

  async write(file: string, text: string): Promise<void> {
    await this.#made(() => fs.writeFile(file, text, { mode: 0o600 }));
  }

  /** Makes a file that must not be there yet; false where it is. */
  async claim(file: string): Promise<boolean> {
    try {
      const handle = await this.#made(() => fs.open(file, 'wx', 0o600));
      this.soon(handle.close());
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  }

  async remove(file: string): Promise<void> {
    await fs.unlink(file).catch(undefinedWhereMissing);
  }

  /** Removes a file that nobody waits for. */
  removeSoon(file: string): void {
    this.soon(this.remove(file));
  }

  /** Resolves when all has been done that nobody waited for. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /**
   * How long ago a side file was written, by the clock of its file system: that clock is the one that all containers share. `now` is a file
   * that was written just now. Undefined where the file is gone.
   */
  async ageMs(file: string, now: string): Promise<number | undefined> {
    const [stat, reference] = await Promise.all([statIfThere(file), statIfThere(now)]);
    return stat && reference ? Number(reference.mtimeMs - stat.mtimeMs) : undefined;
  }

  /** A side file for writing; an old one is emptied. */
  async openForWriting(file: string): Promise<FileHandle> {
    return this.#made(() => fs.open(file, 'w', 0o600));
  }

  /** Takes something on that nobody waits for; what is left over by a fault is removed when it is old. */
  soon(done: Promise<void>): void {
    const quiet = done.catch(() => undefined).finally(() => this.#underWay.delete(quiet));
    this.#underWay.add(quiet);
  }

  async #made<T>(make: () => Promise<T>): Promise<T> {
    try {
      return await make();
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      await makeDirectory(this.path, this.#dirMode);
      return make();
    }
  }
}

export function emptyWhereMissing(error: unknown): string[] {
  if (codeOf(error) === 'ENOENT') return [];
  throw error;
}

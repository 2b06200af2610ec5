import { constants, fstatSync, readFileSync, statSync, write, type BigIntStats } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';

const LINE_FEED = 10;

export interface Modes {
  readonly mode: number;
  readonly dirMode: number;
}

/** A write that stopped in the middle; `written` bytes of it are in the file. */
export class PartialWrite extends Error {
  readonly written: number;

  constructor(written: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.written = written;
  }
}

/** Where an open file stands now. `moved`: its path leads elsewhere; `deleted`: no path leads to it any more. */
export type Place =
  | { readonly at: 'path'; readonly bytes: number; readonly modifiedMs: number }
  | { readonly at: 'moved' | 'deleted' };

/** A file that is open for appending. Many processes may append to one. */
export class LogFile {
  readonly path: string;
  readonly inode: bigint;
  /** Whether opening it has made it. */
  readonly isNew: boolean;
  readonly #device: bigint;
  readonly #handle: FileHandle;
  readonly #canRead: boolean;

  private constructor(filePath: string, opened: Opened, stat: { ino: bigint; dev: bigint }) {
    this.path = filePath;
    this.#handle = opened.handle;
    this.#canRead = opened.canRead;
    this.isNew = opened.isNew;
    this.inode = stat.ino;
    this.#device = stat.dev;
  }

  /** Opens a file, making it and its folders where they are missing; what is made gets the modes whatever the umask. */
  static async open(filePath: string, modes: Modes): Promise<LogFile> {
    const opened = await openForAppending(filePath, modes);
    try {
      return new LogFile(filePath, opened, fstatSync(opened.handle.fd, { bigint: true }));
    } catch (error) {
      await opened.handle.close();
      throw error;
    }
  }

  /**
   * Resolves when the kernel has all bytes.
   *
   * @throws PartialWrite
   */
  async append(bytes: Uint8Array): Promise<void> {
    let written = 0;
    try {
      // The kernel takes less than it is given where the disk fills up: that is no error yet, only the next call's is.
      while (written < bytes.length) {
        written += await writeOnce(this.#handle.fd, bytes, written);
      }
    } catch (error) {
      throw new PartialWrite(written, error);
    }
  }

  /**
   * Asked after every write, where a turn of libuv's threads would double what a small batch costs: the kernel has the answer in memory, it
   * has just written the file.
   */
  place(): Place {
    const there = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (there && there.ino === this.inode && there.dev === this.#device)
      return { at: 'path', bytes: Number(there.size), modifiedMs: Number(there.mtimeMs) };
    return { at: fstatSync(this.#handle.fd).nlink === 0 ? 'deleted' : 'moved' };
  }

  /** Takes `fragment` off the end of the file, if it is still the last that was written to it. */
  async cutOff(fragment: Uint8Array): Promise<boolean> {
    const { size } = await this.#handle.stat();
    const end = await this.#readAt(size - fragment.length, fragment.length);
    if (!end?.equals(fragment)) return false;
    await this.#handle.truncate(size - fragment.length);
    return true;
  }

  /** Whether a crash has left a line without its end. */
  async endsInsideLine(): Promise<boolean> {
    const { size } = await this.#handle.stat();
    const last = await this.#readAt(size - 1, 1);
    return last !== undefined && last[0] !== LINE_FEED;
  }

  /**
   * Whether the last `append`, of so many bytes, stands behind a part of a line: another process was killed in the middle of its write
   * just then. Where the system does not tell where a write went, this is false.
   */
  async wasGlued(length: number): Promise<boolean> {
    const end = readPosition(this.#handle.fd);
    if (end === undefined) return false;
    const before = await this.#readAt(end - length - 1, 1);
    return before !== undefined && before[0] !== LINE_FEED;
  }

  /** Sets the permissions, where something else than `open` has made the file and the umask has had its say. */
  async setMode(mode: number): Promise<void> {
    if ((fstatSync(this.#handle.fd).mode & 0o777) !== mode) await this.#handle.chmod(mode);
  }

  /** Makes what was written survive a loss of power. */
  async sync(): Promise<void> {
    await this.#handle.datasync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Undefined where there is nothing to read, or no permission. */
  async #readAt(position: number, length: number): Promise<Buffer | undefined> {
    if (position < 0 || !this.#canRead) return undefined;
    const { buffer, bytesRead } = await this.#handle.read(Buffer.alloc(length), 0, length, position);
    return bytesRead === length ? buffer : undefined;
  }
}

/** By callback: FileHandle.write costs this thread 10 µs more, a quarter of what a batch of 64 KiB takes. */
function writeOnce(fd: number, bytes: Uint8Array, from: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, from, bytes.length - from, null, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}

/** Where a descriptor's last write ended. With O_APPEND only the kernel knows: https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html */
function readPosition(fd: number): number | undefined {
  try {
    const position = /^pos:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    return position === undefined ? undefined : Number(position);
  } catch {
    return undefined;
  }
}

interface Opened {
  readonly handle: FileHandle;
  readonly isNew: boolean;
  readonly canRead: boolean;
}

/** Most files are there already, most of the others have their folder. */
async function openForAppending(filePath: string, modes: Modes): Promise<Opened> {
  for (let attempt = 0; ; attempt++) {
    const opened = (await openExisting(filePath)) ?? (await openNew(filePath, modes, attempt > 0));
    if (opened) return opened;
  }
}

async function openExisting(filePath: string): Promise<Opened | undefined> {
  const { O_RDWR, O_WRONLY, O_APPEND } = constants;
  try {
    return { handle: await fs.open(filePath, O_RDWR | O_APPEND), isNew: false, canRead: true };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (codeOf(error) !== 'EACCES') throw error;
  }
  return { handle: await fs.open(filePath, O_WRONLY | O_APPEND), isNew: false, canRead: false };
}

/** Undefined where another process has made it just now, or where its folder is missing: it is made if `makesFolder`. */
async function openNew(filePath: string, modes: Modes, makesFolder: boolean): Promise<Opened | undefined> {
  if (makesFolder) await makeDirectory(path.dirname(filePath), modes.dirMode);
  try {
    const handle = await fs.open(filePath, 'ax+', modes.mode);
    // The mode of a new file is subject to the umask. A file system without modes is no reason not to write.
    await handle.chmod(modes.mode).catch(() => undefined);
    return { handle, isNew: true, canRead: true };
  } catch (error) {
    if (codeOf(error) === 'EEXIST' || (codeOf(error) === 'ENOENT' && !makesFolder)) return undefined;
    throw error;
  }
}

/** Makes a folder and its missing parents. */
export async function makeDirectory(directory: string, mode: number): Promise<void> {
  const first = await fs.mkdir(directory, { recursive: true, mode });
  if (first === undefined) return;
  for (let made = directory; made.length >= first.length; made = path.dirname(made))
    await fs.chmod(made, mode);
}

/** A file's metadata, or undefined where nothing is there. */
export async function statIfThere(filePath: string): Promise<BigIntStats | undefined> {
  return fs.stat(filePath, { bigint: true }).catch(undefinedWhereMissing);
}

/** For `catch`: what is not there is no fault. */
export function undefinedWhereMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

/** The system's code of an error (`ENOSPC`), or undefined. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';

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
export type Place = { readonly at: 'path'; readonly bytes: number } | { readonly at: 'moved' | 'deleted' };

/** A file that is open for appending. Many processes may append to one. */
export class LogFile {
  readonly path: string;
  readonly inode: bigint;
  /** Whether opening it has made it. */
  readonly isNew: boolean;
  readonly #device: bigint;
  readonly #handle: FileHandle;

  private constructor(
    filePath: string,
    handle: FileHandle,
    isNew: boolean,
    stat: { ino: bigint; dev: bigint },
  ) {
    this.path = filePath;
    this.#handle = handle;
    this.isNew = isNew;
    this.inode = stat.ino;
    this.#device = stat.dev;
  }

  /** Opens a file, making it and its folders where they are missing; what is made gets the modes whatever the umask. */
  static async open(filePath: string, modes: Modes): Promise<LogFile> {
    await makeDirectory(path.dirname(filePath), modes.dirMode);
    const { handle, isNew } = await openForAppending(filePath, modes.mode);
    try {
      return new LogFile(filePath, handle, isNew, await handle.stat({ bigint: true }));
    } catch (error) {
      await handle.close();
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
        written += (await this.#handle.write(bytes, written, bytes.length - written)).bytesWritten;
      }
    } catch (error) {
      throw new PartialWrite(written, error);
    }
  }

  async place(): Promise<Place> {
    const there = await statIfThere(this.path);
    if (there && there.ino === this.inode && there.dev === this.#device)
      return { at: 'path', bytes: Number(there.size) };
    const { nlink } = await this.#handle.stat();
    return { at: nlink === 0 ? 'deleted' : 'moved' };
  }

  /** Takes `fragment` off the end of the file, if it is still the last that was written to it. */
  async cutOff(fragment: Uint8Array): Promise<boolean> {
    const { size } = await this.#handle.stat();
    if (!(await this.#endsWith(fragment, size))) return false;
    await this.#handle.truncate(size - fragment.length);
    return true;
  }

  /** Whether a crash has left a line without its end. */
  async endsInsideLine(): Promise<boolean> {
    const { size } = await this.#handle.stat();
    return size > 0 && !(await this.#endsWith(Buffer.from('\n'), size));
  }

  async stat(): Promise<{ bytes: number; modifiedMs: number }> {
    const { size, mtimeMs } = await this.#handle.stat();
    return { bytes: size, modifiedMs: mtimeMs };
  }

  /** Makes what was written survive a loss of power. */
  async sync(): Promise<void> {
    await this.#handle.datasync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #endsWith(bytes: Uint8Array, size: number): Promise<boolean> {
    if (size < bytes.length || (await this.place()).at !== 'path') return false;
    const reader = await fs.open(this.path, 'r');
    try {
      const { buffer } = await reader.read(Buffer.alloc(bytes.length), 0, bytes.length, size - bytes.length);
      return buffer.equals(bytes);
    } finally {
      await reader.close();
    }
  }
}

async function openForAppending(
  filePath: string,
  mode: number,
): Promise<{ handle: FileHandle; isNew: boolean }> {
  try {
    const handle = await fs.open(filePath, 'ax', mode);
    await handle.chmod(mode);
    return { handle, isNew: true };
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return { handle: await fs.open(filePath, 'a', mode), isNew: false };
  }
}

/** Makes a folder and its missing parents. */
export async function makeDirectory(directory: string, mode: number): Promise<void> {
  const first = await fs.mkdir(directory, { recursive: true, mode });
  for (let made = directory; first !== undefined && made.length >= first.length; made = path.dirname(made)) {
    await fs.chmod(made, mode);
  }
}

/** A file's metadata, or undefined where nothing is there. */
export async function statIfThere(filePath: string) {
  try {
    return await fs.stat(filePath, { bigint: true });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The system's code of an error (`ENOSPC`), or undefined. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

import fs from 'node:fs';
import path from 'node:path';
import { readFault } from './interpolate.ts';

export interface Directories {
  readonly cwd: string;
  /** `LOG_DIRECTORY` or `directory`, where either is given; absolute. */
  readonly base: string | undefined;
}

/** Where a stream's path leads: relative ones against the base, a leading `logs/` dropped, else against the working directory. */
export function resolvePath(target: string, { cwd, base }: Directories): string {
  if (path.isAbsolute(target)) return path.normalize(target);
  if (base === undefined) return path.resolve(cwd, target);
  return path.resolve(base, path.normalize(target).replace(/^logs(?:[/\\]|$)/, ''));
}

/** Why a file can't be written at a path, seen without writing it; undefined where nothing stands against it. */
export function probeFile(
  file: string,
): { readonly reason: string; readonly suggestion: string } | undefined {
  const stats = statOf(file);
  if (stats instanceof Error) return probeFault(stats, file);
  if (stats?.isDirectory()) {
    return { reason: `${file} is a directory`, suggestion: 'name a file in it' };
  }
  if (stats) return probeAccess(file, fs.constants.W_OK, 'the file');
  return probeParent(path.dirname(file));
}

/** The first bytes of every SQLite database: https://www.sqlite.org/fileformat.html#magic_header_string */
const SQLITE_HEADER = 'SQLite format 3\0';

/** Looks whether a file that exists can be a SQLite database. */
export function probeDatabase(
  file: string,
): { readonly reason: string; readonly suggestion: string } | undefined {
  const bytes = Buffer.alloc(SQLITE_HEADER.length);
  let length: number;
  try {
    const fd = fs.openSync(file, 'r');
    try {
      length = fs.readSync(fd, bytes);
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    // Missing or unreadable: another look says so.
    return undefined;
  }
  if (length === 0 || bytes.toString('latin1') === SQLITE_HEADER) return undefined;
  return {
    reason: `${file} is no SQLite database`,
    suggestion: 'choose another path or move that file away',
  };
}

/** Folders are made when they are needed: the nearest one that exists has to let us. */
function probeParent(folder: string): { reason: string; suggestion: string } | undefined {
  const stats = statOf(folder);
  if (stats instanceof Error) return probeFault(stats, folder);
  if (!stats) {
    const parent = path.dirname(folder);
    return parent === folder ? undefined : probeParent(parent);
  }
  if (!stats.isDirectory()) {
    return {
      reason: `${folder} is a file, not a folder`,
      suggestion: 'choose another path or move that file away',
    };
  }
  return probeAccess(folder, fs.constants.W_OK | fs.constants.X_OK, 'the folder');
}

function probeAccess(
  target: string,
  mode: number,
  noun: string,
): { reason: string; suggestion: string } | undefined {
  try {
    fs.accessSync(target, mode);
    return undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    const reason =
      code === 'EROFS' ? `${target} is on a read-only file system` : `${noun} ${target} is not writable`;
    return { reason, suggestion: 'choose another path, or give this user the right to write there' };
  }
}

function probeFault(error: Error, target: string): { reason: string; suggestion: string } {
  return { reason: `${target} can't be reached: ${readFault(error)}`, suggestion: 'choose another path' };
}

/** A file behind a path that does not exist is no fault; everything else is. */
function statOf(target: string): fs.BigIntStats | undefined | Error {
  try {
    // A FIFO is a destination; with bigint for the reason that openFdWriter has.
    return fs.statSync(target, { bigint: true });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    // Behind a file in the path's middle: the parent tells it better.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** One name for one file, whichever way leads to it; the part that does not exist yet stays as it is. */
export function realFile(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(realFile(parent), path.basename(file));
  }
}

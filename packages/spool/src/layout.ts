import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

// <stateDirectory>/<service slug>/<logId>.<ownerId>/   segments and cursors of one log; the name says whose it is
//                                 owners/<ownerId>.*   what proves that an owner lives
//                                 dead-letters/<slug of stream key>/

export const DIRECTORY_MODE = 0o700;
export const FILE_MODE = 0o600;

const MAX_SLUG_LENGTH = 120;
const LOG_DIRECTORY = /^([0-9a-f]{24})\.([0-9a-f]{16})$/;

/** `process`: survives the end of the process; `power`: what a sync covered survives power loss too. */
export type Durability = 'process' | 'power';

/** What a log directory's name tells. */
export interface LogName {
  readonly logId: string;
  readonly ownerId: string;
}

/** A new log's id: 6 bytes of time, so that names sort by age, and 6 random ones. */
export function createLogId(): string {
  return Date.now().toString(16).padStart(12, '0') + randomBytes(6).toString('hex');
}

export function createOwnerId(): string {
  return randomBytes(8).toString('hex');
}

export function serviceDirectory(stateDirectory: string, service: string): string {
  return join(stateDirectory, slug(service, 'service'));
}

export function logDirectory(service: string, name: LogName): string {
  return join(service, `${name.logId}.${name.ownerId}`);
}

export function ownersDirectory(service: string): string {
  return join(service, 'owners');
}

export function deadLettersDirectory(service: string, streamKey: string): string {
  return join(service, 'dead-letters', slug(streamKey, 'streamKey'));
}

/** Undefined for a name that is not a log directory's. */
export function parseLogDirectory(path: string): LogName | undefined {
  const [, logId, ownerId] = LOG_DIRECTORY.exec(basename(path)) ?? [];
  return logId !== undefined && ownerId !== undefined ? { logId, ownerId } : undefined;
}

/** Turns a name into one that is safe as a file's, different names into different ones. */
function slug(name: string, option: string): string {
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(`${option} must be a non-empty string; got ${JSON.stringify(name)}`);
  }
  const encoded = encodeURIComponent(Buffer.from(name).toString())
    .replace(/^\./, '%2E')
    .replaceAll('*', '%2A');
  if (encoded.length <= MAX_SLUG_LENGTH) return encoded;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 16);
  return `${encoded.slice(0, MAX_SLUG_LENGTH)}~${digest}`;
}

/** The name that a slug stands for; a long name's is its beginning. */
export function unslug(text: string): string {
  try {
    if (text.length <= MAX_SLUG_LENGTH) return decodeURIComponent(text);
    return decodeURIComponent(text.replace(/(%[^~]?)?~[0-9a-f]{16}$/, '…'));
  } catch {
    return text;
  }
}

/** Makes a directory under the state directory private to the user; what lies above the state directory keeps the usual mode. */
export function makePrivateDirectory(stateDirectory: string, directory: string): void {
  mkdirSync(dirname(stateDirectory), { recursive: true });
  mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
}

/** Makes created, renamed and unlinked names survive power loss; a file system that can't is not an error. */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    if (!isErrno(error, 'EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP')) throw error;
  } finally {
    closeSync(fd);
  }
}

export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

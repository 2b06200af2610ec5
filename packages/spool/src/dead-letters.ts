import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { encodeLetter, listLetterFiles, type DeadLetter } from './dead-letter-files.ts';
import { failpoint, failpointTears, kill } from './failpoint.ts';
import {
  deadLettersDirectory,
  FILE_MODE,
  isErrno,
  makePrivateDirectory,
  serviceDirectory,
  syncDirectory,
  type Durability,
} from './layout.ts';
import type { WriteBytes } from './segment-writer.ts';

// One NDJSON file for each process and stream, so that each has one writer: dead-letters/<stream>/<time><random>.ndjson. A replay
// renames it before it reads; the writer looks after each write whether the file is still its own, and otherwise writes the
// letter once more into a new one. So none is lost to a replay that runs meanwhile, and one that stands twice has the same id.

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/** How adding a dead letter ended; everything but `appended` means that it was not kept. */
export type DeadLetterOutcome = 'appended' | 'full' | 'no-space' | 'io-error' | 'closed';

export interface DeadLetterOptions {
  readonly stateDirectory: string;
  readonly service: string;
  readonly streamKey: string;
  /** The most that a stream's dead letters may take, those of other processes included. @default 64 MiB */
  readonly maxBytes?: number | undefined;
  /** @default 'process' */
  readonly durability?: Durability | undefined;
  /** Stands in for `fs.writeSync` in tests of short writes and full disks. */
  readonly write?: WriteBytes | undefined;
}

/** Opens the place where a stream's refused records are kept; nothing is on disk before the first. */
export function openDeadLetters(options: DeadLetterOptions): DeadLetters {
  return new DeadLetters(options);
}

/** A stream's dead letters, for one thread. `append` never throws. */
export class DeadLetters {
  readonly #options: DeadLetterOptions;
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #write: WriteBytes;
  #path = '';
  #fd: number | undefined;
  #fileBytes = 0;
  #otherBytes = 0;
  #isClosed = false;
  #lastError: Error | undefined;

  /** @internal */
  constructor(options: DeadLetterOptions) {
    const stateDirectory = resolve(options.stateDirectory);
    this.#options = { ...options, stateDirectory };
    this.#directory = deadLettersDirectory(
      serviceDirectory(stateDirectory, options.service),
      options.streamKey,
    );
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#write = options.write ?? writeSync;
  }

  /** What the file system last refused. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** Keeps one record. Write the cursor that passes it afterwards: a crash between the two keeps it twice, with the same id. */
  append(letter: DeadLetter): DeadLetterOutcome {
    if (this.#isClosed) return 'closed';
    const entry = Buffer.from(encodeLetter(letter));
    failpoint('dead-letter-before');
    try {
      const outcome = this.#append(entry);
      if (outcome === 'full') return outcome;
    } catch (error) {
      this.#lastError = error instanceof Error ? error : new Error(String(error));
      return isErrno(error, 'ENOSPC', 'EDQUOT') ? 'no-space' : 'io-error';
    }
    failpoint('dead-letter-after');
    return 'appended';
  }

  close(): void {
    this.#isClosed = true;
    this.#closeFile();
  }

  #append(entry: Buffer): 'appended' | 'full' {
    for (;;) {
      const fd = this.#fd ?? this.#open();
      if (this.#otherBytes + this.#fileBytes + entry.length > this.#maxBytes) {
        // A replay may have made room since.
        this.#otherBytes = this.#bytesOfOthers();
        if (this.#otherBytes + this.#fileBytes + entry.length > this.#maxBytes) return 'full';
      }
      this.#writeEntry(fd, entry);
      if (this.#isOurs(fd)) return 'appended';
      this.#closeFile();
    }
  }

  #open(): number {
    makePrivateDirectory(this.#options.stateDirectory, this.#directory);
    this.#otherBytes = this.#bytesOfOthers();
    this.#path = join(
      this.#directory,
      `${Date.now().toString(16).padStart(12, '0')}${randomBytes(6).toString('hex')}.ndjson`,
    );
    this.#fd = openSync(this.#path, 'ax', FILE_MODE);
    this.#fileBytes = 0;
    if (this.#options.durability === 'power') syncDirectory(this.#directory);
    return this.#fd;
  }

  #writeEntry(fd: number, entry: Buffer): void {
    if (failpointTears('dead-letter-torn')) {
      this.#write(fd, entry, 0, Math.floor(entry.length / 2));
      kill();
    }
    try {
      for (let written = 0; written < entry.length;) {
        const taken = this.#write(fd, entry, written, entry.length - written);
        if (taken <= 0) throw new Error(`"${this.#path}" takes no more bytes`);
        written += taken;
      }
      if (this.#options.durability === 'power') fdatasyncSync(fd);
      this.#fileBytes += entry.length;
    } catch (error) {
      this.#cutBack(fd);
      throw error;
    }
  }

  #cutBack(fd: number): void {
    try {
      ftruncateSync(fd, this.#fileBytes);
    } catch {
      // The remains stay as this file's last, torn line; the next letter goes into another file.
      this.#closeFile();
    }
  }

  #isOurs(fd: number): boolean {
    try {
      return statSync(this.#path).ino === fstatSync(fd).ino;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  #bytesOfOthers(): number {
    let bytes = 0;
    for (const file of listLetterFiles(this.#directory)) if (file.path !== this.#path) bytes += file.bytes;
    return bytes;
  }

  #closeFile(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#path = '';
    this.#fileBytes = 0;
  }
}

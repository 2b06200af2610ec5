import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { failpoint, failpointTears, kill } from './failpoint.ts';
import { FILE_MODE } from './layout.ts';
import { segmentPath } from './segment-files.ts';
import { encodeSegmentHeader, segmentSalt, type SegmentHeader } from './segment.ts';

/** As `fs.writeSync`: writes at the file's end and tells how many bytes were taken. */
export type WriteBytes = (fd: number, bytes: Buffer, offset: number, length: number) => number;

/** One segment file as its only writer sees it. */
export class SegmentWriter {
  readonly path: string;
  readonly salt: number;
  readonly #fd: number;
  readonly #write: WriteBytes;
  #bytes = 0;
  #writable = true;
  #isClosed = false;
  #syncs = 0;

  /** Creates the file with its header, or leaves nothing behind and throws what the file system threw. */
  constructor(directory: string, logId: string, header: SegmentHeader, write: WriteBytes = writeSync) {
    this.path = segmentPath(directory, header.index);
    this.salt = segmentSalt(logId, header.index);
    this.#write = write;
    this.#fd = openSync(this.path, 'ax', FILE_MODE);
    failpoint('segment-created');
    const bytes = encodeSegmentHeader(logId, header);
    try {
      if (failpointTears('segment-header-torn')) this.#tear(bytes, bytes.length);
      this.#writeAll(bytes, bytes.length);
    } catch (error) {
      this.close();
      removeQuietly(this.path);
      throw error;
    }
  }

  /** What the file holds, header included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False once the file's end can't be trusted any more; the next frame then belongs into a new segment. */
  get writable(): boolean {
    return this.#writable;
  }

  /** Writes all of it, or throws what the file system threw and leaves the file as it was. */
  append(bytes: Buffer, length: number): void {
    if (failpointTears('append-torn')) this.#tear(bytes, length);
    this.#writeAll(bytes, length);
  }

  sync(): void {
    fdatasyncSync(this.#fd);
  }
  /** `sync` without waiting; the file may be closed meanwhile. */
  syncInBackground(): Promise<void> {
    this.#syncs++;
    return new Promise((resolve, reject) => {
      fdatasync(this.#fd, (error) => {
        this.#syncs--;
        this.#closeWhenIdle();
        if (error) reject(error);
        else resolve();
      });
    });
  }

  close(): void {
    this.#writable = false;
    this.#isClosed = true;
    this.#closeWhenIdle();
  }

  /** A descriptor that is closed under a running sync may be another file's when the sync gets to it. */
  #closeWhenIdle(): void {
    if (this.#isClosed && this.#syncs === 0) closeSync(this.#fd);
  }

  #writeAll(bytes: Buffer, length: number): void {
    try {
      let written = this.#write(this.#fd, bytes, 0, length);
      while (written < length) {
        const more = this.#write(this.#fd, bytes, written, length - written);
        if (more <= 0) throw new Error(`"${this.path}" takes no more bytes`);
        written += more;
      }
      this.#bytes += length;
    } catch (error) {
      this.#cutBack();
      throw error;
    }
  }

  #cutBack(): void {
    try {
      ftruncateSync(this.#fd, this.#bytes);
    } catch {
      // The remains stay as this segment's torn tail, which readers pass over.
      this.#writable = false;
    }
  }

  #tear(bytes: Buffer, length: number): never {
    this.#write(this.#fd, bytes, 0, Math.floor(length / 2));
    kill();
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // What can't be removed stays as a segment without frames, which readers pass over.
  }
}

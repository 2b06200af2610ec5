import { createReadStream, createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import {
  CHUNK_BYTES,
  compressedSuffix,
  createCompressor,
  createDecompressor,
  type Compression,
} from './compression-method.ts';
import type { CompressedSuffix } from './name-grammar.ts';

export interface CompressJob {
  readonly source: string;
  readonly target: string;
  /** A name in the same file system that is this job's alone. */
  readonly temporary: string;
  readonly mode: number;
  readonly signal: AbortSignal;
}

/**
 * Puts a compressed file in the place of a plain one. The plain one goes last, when its copy is on disk, has been read back, and both
 * are the same: a crash at any point leaves a whole file, and doing it again is always right.
 */
export async function compressFile(job: CompressJob, compression: Compression): Promise<void> {
  const { source, target, temporary, mode, signal } = job;
  try {
    const original = new Checksum();
    await pipeline(
      createReadStream(source, { highWaterMark: CHUNK_BYTES }),
      (chunks: AsyncIterable<Buffer>) => original.through(chunks),
      createCompressor(compression),
      createWriteStream(temporary, { mode, flush: true }),
      { signal },
    );
    const copy = await readBack(temporary, compressedSuffix(compression.method), signal);
    if (!copy.equals(original))
      throw new Error(`the ${compression.method} copy of ${source} differs from it`);
    const { size, atime, mtime } = await fs.stat(source);
    if (size !== original.bytes) throw new Error(`${source} is still written to`);
    await fs.chmod(temporary, mode);
    await fs.utimes(temporary, atime, mtime);
    await fs.rename(temporary, target);
    await syncFolder(path.dirname(target));
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
  await fs.rm(source, { force: true });
}

async function readBack(file: string, suffix: CompressedSuffix, signal: AbortSignal): Promise<Checksum> {
  const checksum = new Checksum();
  const decompressor = createDecompressor(suffix) ?? new PassThrough();
  await pipeline(
    createReadStream(file, { highWaterMark: CHUNK_BYTES }),
    decompressor,
    (chunks: AsyncIterable<Buffer>) => checksum.take(chunks),
    { signal },
  );
  return checksum;
}

/** A rename survives a loss of power when its folder has been written. */
async function syncFolder(directory: string): Promise<void> {
  const handle = await fs.open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What has gone by, told apart from anything that an accident would make of it. */
class Checksum {
  bytes = 0;
  #crc = 0;

  async *through(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#add(chunk);
      yield chunk;
    }
  }

  async take(chunks: AsyncIterable<Buffer>): Promise<void> {
    for await (const chunk of chunks) this.#add(chunk);
  }

  equals(other: Checksum): boolean {
    return this.bytes === other.bytes && this.#crc === other.#crc;
  }

  #add(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.#crc = crc32(chunk, this.#crc);
  }
}

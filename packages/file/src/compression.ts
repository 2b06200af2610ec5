import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { PassThrough, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import type { CompressedSuffix } from './name-grammar.ts';

export type CompressionMethod = 'gzip' | 'zstd' | 'brotli';

export interface Compression {
  readonly method: CompressionMethod;
  readonly level: number;
}

/** Few, large chunks: zlib works in libuv's threads, and each chunk costs this thread some microseconds. */
const CHUNK_BYTES = 256 * 1024;

/** Node has zstd since 22.15; its types here are those of Node 20. */
interface ZstdFunctions {
  createZstdCompress?: (options: { params: Record<number, number> }) => Transform;
  createZstdDecompress?: () => Transform;
  constants: { ZSTD_c_compressionLevel?: number };
}
const zstd = zlib as unknown as ZstdFunctions;

export const CAN_ZSTD = zstd.createZstdCompress !== undefined;

const METHODS: Record<
  CompressionMethod,
  {
    suffix: CompressedSuffix;
    level: number;
    min: number;
    max: number;
    compress: (level: number) => Transform | undefined;
  }
> = {
  gzip: {
    suffix: 'gz',
    level: 6,
    min: 1,
    max: 9,
    compress: (level) => zlib.createGzip({ level, chunkSize: CHUNK_BYTES }),
  },
  brotli: {
    suffix: 'br',
    level: 4,
    min: 0,
    max: 11,
    compress: (level) =>
      zlib.createBrotliCompress({
        chunkSize: CHUNK_BYTES,
        params: { [zlib.constants.BROTLI_PARAM_QUALITY]: level },
      }),
  },
  zstd: {
    suffix: 'zst',
    level: 3,
    min: 1,
    max: 22,
    compress: (level) =>
      zstd.createZstdCompress?.({ params: { [zstd.constants.ZSTD_c_compressionLevel ?? 100]: level } }),
  },
};

/** The levels of a method, and the one that is used where none is asked for. */
export function compressionLevels(method: CompressionMethod): {
  readonly min: number;
  readonly max: number;
  readonly level: number;
} {
  return METHODS[method];
}

export function compressedSuffix(method: CompressionMethod): CompressedSuffix {
  return METHODS[method].suffix;
}

/** What turns a compressed file back; undefined for a plain one. */
export function createDecompressor(suffix: CompressedSuffix | undefined): Transform | undefined {
  switch (suffix) {
    case 'gz':
      return zlib.createGunzip({ chunkSize: CHUNK_BYTES });
    case 'br':
      return zlib.createBrotliDecompress({ chunkSize: CHUNK_BYTES });
    case 'zst': {
      const stream = zstd.createZstdDecompress?.();
      if (!stream) throw new Error(`zstd needs Node 22.15 or newer; this is ${process.version}`);
      return stream;
    }
    case undefined:
      return undefined;
  }
}

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
export async function compressFile(job: CompressJob, { method, level }: Compression): Promise<void> {
  const { source, target, temporary, mode, signal } = job;
  const compressor = METHODS[method].compress(level);
  if (!compressor) throw new Error(`zstd needs Node 22.15 or newer; this is ${process.version}`);
  try {
    const original = new Digest();
    await pipeline(
      createReadStream(source, { highWaterMark: CHUNK_BYTES }),
      (chunks: AsyncIterable<Buffer>) => original.through(chunks),
      compressor,
      createWriteStream(temporary, { mode, flush: true }),
      { signal },
    );
    const copy = await readBack(temporary, METHODS[method].suffix, signal);
    if (copy !== original.hex()) throw new Error(`the ${method} copy of ${source} differs from it`);
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

async function readBack(file: string, suffix: CompressedSuffix, signal: AbortSignal): Promise<string> {
  const digest = new Digest();
  const decompressor = createDecompressor(suffix) ?? new PassThrough();
  await pipeline(
    createReadStream(file, { highWaterMark: CHUNK_BYTES }),
    decompressor,
    (chunks: AsyncIterable<Buffer>) => digest.take(chunks),
    { signal },
  );
  return digest.hex();
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

/** What has gone by: its number of bytes and a hash, to tell accidents apart. */
class Digest {
  readonly #hash = createHash('sha1');
  bytes = 0;

  async *through(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#hash.update(chunk);
      this.bytes += chunk.length;
      yield chunk;
    }
  }

  async take(chunks: AsyncIterable<Buffer>): Promise<void> {
    for await (const _chunk of this.through(chunks));
  }

  hex(): string {
    return this.#hash.digest('hex');
  }
}

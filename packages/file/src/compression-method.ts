import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import type { CompressedSuffix } from './name-grammar.ts';

export type CompressionMethod = 'gzip' | 'zstd' | 'brotli';

export interface Compression {
  readonly method: CompressionMethod;
  readonly level: number;
}

/** Few, large chunks: zlib works in libuv's threads, and each chunk costs this thread some microseconds. */
export const CHUNK_BYTES = 256 * 1024;

/** Node has zstd since 22.15; its types here are those of Node 20. */
interface ZstdFunctions {
  createZstdCompress?: (options: { params: Record<number, number> }) => Transform;
  createZstdDecompress?: (options?: { finishFlush: number }) => Transform;
  constants: { ZSTD_c_compressionLevel?: number; ZSTD_e_flush?: number };
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
  if (suffix === undefined) return undefined;
  if (suffix === 'gz') return zlib.createGunzip({ chunkSize: CHUNK_BYTES });
  if (suffix === 'br') return zlib.createBrotliDecompress({ chunkSize: CHUNK_BYTES });
  return zstd.createZstdDecompress?.() ?? refuseZstd();
}

/** The same for a file that is damaged: it gives what can be read, and takes the end of a cut file for its end. */
export function createSalvager(suffix: CompressedSuffix | undefined): Transform | undefined {
  const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH } = zlib.constants;
  if (suffix === 'gz') return zlib.createGunzip({ chunkSize: CHUNK_BYTES, finishFlush: Z_SYNC_FLUSH });
  if (suffix === 'br')
    return zlib.createBrotliDecompress({ chunkSize: CHUNK_BYTES, finishFlush: BROTLI_OPERATION_FLUSH });
  return suffix && zstd.createZstdDecompress?.({ finishFlush: zstd.constants.ZSTD_e_flush ?? 1 });
}

/** What compresses. */
export function createCompressor({ method, level }: Compression): Transform {
  return METHODS[method].compress(level) ?? refuseZstd();
}

function refuseZstd(): never {
  throw new Error(`zstd needs Node 22.15 or newer; this is ${process.version}`);
}

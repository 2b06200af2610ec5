import { promisify } from 'node:util';
import zlib from 'node:zlib';

const gzipAsync = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip);
const gunzipAsync = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip);

/** A member of the file takes about so many bytes of lines: what a reader decompresses at once. */
export const MEMBER_RAW_BYTES = 2 * 1024 * 1024;

/** Compresses in another thread. */
export function compressMember(raw: Buffer, level: number): Promise<Buffer> {
  return gzipAsync(raw, { level });
}

/** Decompresses a member in another thread; one that holds more than its manifest says is damaged. */
export function expandMember(bytes: Buffer, rawBytes: number): Promise<Buffer> {
  return gunzipAsync(bytes, { maxOutputLength: Math.max(1, rawBytes) });
}

/** Decompresses a member in this thread. */
export function expandMemberSync(bytes: Buffer, rawBytes: number): Buffer {
  return zlib.gunzipSync(bytes, { maxOutputLength: Math.max(1, rawBytes) });
}

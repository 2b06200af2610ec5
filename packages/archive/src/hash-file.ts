import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { codeOf } from './folder.ts';

export interface FileHash {
  readonly bytes: number;
  readonly sha256: string;
}

/** Reads a file to its end; undefined where there is none. */
export async function hashFile(path: string): Promise<FileHash | undefined> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of fs.createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  return { bytes, sha256: hash.digest('hex') };
}

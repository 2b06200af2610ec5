import fs, { type FileHandle } from 'node:fs/promises';
import { pipeline, PassThrough, type Transform } from 'node:stream';
import { createBatch, LineSplitter, type Batch } from '@treeline/contract';
import { createDecompressor, createSalvager } from './compression-method.ts';
import type { CompressedSuffix } from './name-grammar.ts';

const BLOCK_BYTES = 1024 * 1024;
const LINE_FEED = 10;
const NOTHING = Buffer.alloc(0);

/** Reads a log file's lines from its beginning. Where it is damaged, what can be read of it comes before the error. */
export async function* readForwards(
  handle: FileHandle,
  compressed: CompressedSuffix | undefined,
): AsyncGenerator<Batch> {
  const splitter = new LineSplitter();
  let given = 0;
  try {
    for await (const chunk of readThrough(handle, createDecompressor(compressed))) {
      given += chunk.length;
      const lines = splitter.push(chunk);
      if (lines) yield createBatch(lines);
    }
  } catch (error) {
    const salvager = createSalvager(compressed);
    // Streams drop what they have not given when they fail.
    if (salvager) {
      let skipped = 0;
      try {
        for await (const chunk of readThrough(handle, salvager)) {
          const rest = chunk.subarray(Math.min(chunk.length, given - skipped));
          skipped += chunk.length - rest.length;
          const lines = rest.length > 0 ? splitter.push(rest) : undefined;
          if (lines) yield createBatch(lines);
        }
      } catch {
        // The first error tells it.
      }
    }
    throw error;
  }
  const rest = splitter.end();
  if (rest) yield createBatch(rest);
}

function readThrough(handle: FileHandle, transform: Transform = new PassThrough()): AsyncIterable<Buffer> {
  const input = handle.createReadStream({ start: 0, highWaterMark: BLOCK_BYTES, autoClose: false });
  // Whoever iterates sees the error of either stream: pipeline destroys both with it.
  return pipeline(input, transform, () => undefined) as AsyncIterable<Buffer>;
}

/** Reads a plain log file's lines from its end; the lines of a batch still stand in the file's order. */
export async function* readBackwards(handle: FileHandle): AsyncGenerator<Batch> {
  let { size: position } = await handle.stat();
  let tail: Buffer[] = [];
  while (position > 0) {
    const length = Math.min(BLOCK_BYTES, position);
    position -= length;
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, position);
    const block = buffer.subarray(0, bytesRead);
    // The line that begins before this block is whole only with the next one.
    const cut = position === 0 ? 0 : block.indexOf(LINE_FEED) + 1;
    if (cut === 0 && position > 0) {
      tail.unshift(block);
      continue;
    }
    const lines = toLines([block.subarray(cut), ...tail]);
    tail = [block.subarray(0, cut)];
    if (lines) yield createBatch(lines);
  }
}

function toLines(parts: readonly Buffer[]): Buffer | undefined {
  const bytes = Buffer.concat(parts);
  if (bytes.length === 0) return undefined;
  const splitter = new LineSplitter(Infinity);
  const lines = splitter.push(bytes) ?? NOTHING;
  const rest = splitter.end() ?? NOTHING;
  return lines.length + rest.length > 0 ? Buffer.concat([lines, rest]) : undefined;
}

/** Opens a file for reading; one that has been compressed since it was listed is found by its new name, one that is gone is undefined. */
export async function openListed(
  filePath: string,
  compressed: CompressedSuffix | undefined,
): Promise<{ handle: FileHandle; compressed: CompressedSuffix | undefined } | undefined> {
  const suffixes: (CompressedSuffix | undefined)[] = compressed
    ? [compressed]
    : [undefined, 'gz', 'zst', 'br'];
  for (const suffix of suffixes) {
    const name = compressed === undefined && suffix !== undefined ? `${filePath}.${suffix}` : filePath;
    try {
      return { handle: await fs.open(name, 'r'), compressed: suffix };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return undefined;
}

/** Reads up to `buffer.length - offset` bytes into a buffer; 0 at the end. */
export type ReadInto = (buffer: Buffer, offset: number) => Promise<number>;

const FIRST_SIZE = 128 * 1024;
const LEAST_ROOM = 64 * 1024;
const LINE_FEED = 10;

/**
 * Reads runs of complete lines, each ended by a line feed, into one buffer that is used again: a run is valid until the next is asked
 * for. Of a line over `maxLineBytes` that much is kept.
 */
export async function* readLines(read: ReadInto, maxLineBytes: number): AsyncGenerator<Buffer> {
  let buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
  let kept = 0;
  for (;;) {
    const count = await read(buffer, kept);
    if (count === 0) break;
    const filled = kept + count;
    const last = buffer.subarray(kept, filled).lastIndexOf(LINE_FEED);
    if (last < 0) {
      kept = Math.min(filled, maxLineBytes);
      if (buffer.length - kept < LEAST_ROOM) buffer = grown(buffer, kept);
      continue;
    }
    const end = kept + last + 1;
    if (kept < maxLineBytes) yield buffer.subarray(0, end);
    else {
      // What came of the long line beyond its first bytes has been let go; here it ends.
      const lineEnd = buffer.indexOf(LINE_FEED, kept);
      const shut = Buffer.from('\n');
      yield Buffer.concat([buffer.subarray(0, kept), shut, buffer.subarray(lineEnd + 1, end)]);
    }
    buffer.copyWithin(0, end, filled);
    kept = filled - end;
  }
  if (kept > 0) yield Buffer.concat([buffer.subarray(0, kept), Buffer.from('\n')]);
}

function grown(buffer: Buffer, kept: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(buffer.length * 2);
  buffer.copy(larger, 0, 0, kept);
  return larger;
}

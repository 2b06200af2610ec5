/** A chunk of 64 KiB and the line that closed it. */
const BUFFER_BYTES = 80 * 1024;

/** What is kept for later; a burst may need more for a moment. */
const MAX_FREE = 64;

interface LentChunk {
  readonly buffer: Buffer;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/**
 * Memory for chunks, used again once no stream holds their lines in memory: a fresh buffer for each would be garbage that the collector
 * lets grow to a hundred megabytes in a burst.
 */
export class ChunkPool {
  readonly #free: Buffer[] = [];
  #lent: LentChunk[] = [];

  /** A copy of a chunk's bytes. */
  copy(bytes: Uint8Array, firstSeq: number, lastSeq: number): Buffer {
    if (bytes.length > BUFFER_BYTES) return Buffer.from(bytes);
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    buffer.set(bytes);
    this.#lent.push({ buffer, firstSeq, lastSeq });
    return buffer.subarray(0, bytes.length);
  }

  /** Takes back the memory of the chunks of which nobody holds a line. */
  recycle(isHeld: (firstSeq: number, lastSeq: number) => boolean): void {
    const held: LentChunk[] = [];
    for (const chunk of this.#lent) {
      if (isHeld(chunk.firstSeq, chunk.lastSeq)) held.push(chunk);
      else if (this.#free.length < MAX_FREE) this.#free.push(chunk.buffer);
    }
    this.#lent = held;
  }
}

/** Several chunks share one piece of memory. */
const SLAB_BYTES = 256 * 1024;

/** How many more slabs than are held the pool takes before it looks what has come free. */
const SPARE = 4;

/** What is kept for later: all that a burst needs, which is what may wait in memory (4 MiB), twice. */
const MAX_FREE = 32;

/** Lines with consecutive numbers. */
interface Lines {
  readonly firstSeq: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

interface Slab {
  readonly buffer: Buffer;
  usedBytes: number;
  firstSeq: number;
  lastSeq: number;
}

/**
 * Memory for chunks, used again once nobody holds their lines in memory: a fresh buffer for each would be garbage that the collector
 * lets grow to a hundred megabytes in a burst.
 */
export class ChunkPool {
  readonly #isHeld: (firstSeq: number, lastSeq: number) => boolean;
  readonly #free: Buffer[] = [];
  #lent: Slab[] = [];
  #lookAt = SPARE;

  /** @param isHeld tells whether some of these records are still referred to; asked while a chunk is copied. */
  constructor(isHeld: (firstSeq: number, lastSeq: number) => boolean) {
    this.#isHeld = isHeld;
  }

  /** A copy of a chunk's bytes; chunks come in the order of their numbers. */
  copy({ bytes, firstSeq, count }: Lines): Buffer {
    if (bytes.length > SLAB_BYTES) return Buffer.from(bytes);
    const slab = this.#slabFor(bytes.length, firstSeq);
    const start = slab.usedBytes;
    slab.buffer.set(bytes, start);
    slab.usedBytes += bytes.length;
    slab.lastSeq = firstSeq + count - 1;
    return slab.buffer.subarray(start, slab.usedBytes);
  }

  #slabFor(bytes: number, firstSeq: number): Slab {
    const current = this.#lent.at(-1);
    if (current && current.usedBytes + bytes <= SLAB_BYTES) return current;
    if (this.#free.length === 0 && this.#lent.length >= this.#lookAt) this.#recycle();
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
    const slab = { buffer, usedBytes: 0, firstSeq, lastSeq: firstSeq };
    this.#lent.push(slab);
    return slab;
  }

  #recycle(): void {
    const held: Slab[] = [];
    for (const slab of this.#lent) {
      if (this.#isHeld(slab.firstSeq, slab.lastSeq)) held.push(slab);
      else if (this.#free.length < MAX_FREE) this.#free.push(slab.buffer);
    }
    this.#lent = held;
    this.#lookAt = held.length + SPARE;
  }
}

/** Memory that a closed logger has given back. Left to the garbage collector, a thousand loggers held gigabytes. */
let spare: SharedArrayBuffer | undefined;

/**
 * The window's memory: bytes are added at one end and given back at the other, and each run is contiguous. It is shared with the
 * worker, which copies a run and then looks whether it was written over meanwhile.
 *
 * Positions grow for ever; a position's place in memory is its remainder.
 */
export class Ring {
  readonly memory: SharedArrayBuffer;
  readonly #bytes: Buffer;
  #freedTo = 0;
  #end = 0;

  constructor(size: number) {
    const isSpareFit = spare?.byteLength === size;
    this.memory = isSpareFit && spare ? spare : new SharedArrayBuffer(size);
    if (isSpareFit) spare = undefined;
    this.#bytes = Buffer.from(this.memory);
  }

  /** Lets another ring have the memory: nobody may look into this one any more, nor write to it. */
  giveBack(): void {
    spare = this.memory;
  }

  get size(): number {
    return this.#bytes.length;
  }

  /** Where the next byte goes. */
  get end(): number {
    return this.#end;
  }

  /** Where writing would reach the oldest run. */
  get limit(): number {
    return this.#freedTo + this.size;
  }

  /** What lies between the oldest run and the end, skipped places included. */
  get usedBytes(): number {
    return this.#end - this.#freedTo;
  }

  /** How much can be added here without a gap. */
  get contiguousBytes(): number {
    const toEdge = this.size - (this.#end % this.size);
    return Math.min(toEdge, this.size - this.usedBytes);
  }

  /** Skips to the beginning of the memory where the run would not fit before its edge; false where it doesn't fit there either yet. */
  wrapFor(length: number): boolean {
    const toEdge = this.size - (this.#end % this.size);
    if (length <= toEdge) return length <= this.contiguousBytes;
    if (this.usedBytes + toEdge + length > this.size) return false;
    this.#end += toEdge;
    return true;
  }

  /** Adds text, which must fit, as UTF-8. */
  write(text: string): number {
    const written = this.#bytes.write(text, this.#end % this.size);
    this.#end += written;
    return written;
  }

  /** The bytes of a run that has not been given back. */
  view(start: number, length: number): Buffer {
    const offset = start % this.size;
    return this.#bytes.subarray(offset, offset + length);
  }

  /** Gives back everything before a position. */
  freeTo(position: number): void {
    this.#freedTo = Math.max(this.#freedTo, position);
  }

  /** With nothing in use, begins again where the memory is warm. Positions go on. */
  rewind(): void {
    if (this.usedBytes > 0) return;
    this.#end += (this.size - (this.#end % this.size)) % this.size;
    this.#freedTo = this.#end;
  }
}

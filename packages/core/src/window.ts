/** A run of complete lines in the ring, numbered. */
export interface Chunk {
  readonly firstSeq: number;
  readonly count: number;
  /** Its position in the ring. */
  readonly start: number;
  readonly length: number;
}

export function lastSeqOf({ firstSeq, count }: Pick<Chunk, 'firstSeq' | 'count'>): number {
  return firstSeq + count - 1;
}

/** The chunks that the main thread still answers for, oldest first: some posted to the worker, the newest perhaps not yet. */
export class Window {
  readonly #chunks: Chunk[] = [];
  #postedCount = 0;

  /** The chunk that has waited longest. */
  get oldest(): Chunk | undefined {
    return this.#chunks[0];
  }

  /** Whether the oldest chunk is still to be posted. */
  get isOldestUnposted(): boolean {
    return this.#postedCount === 0;
  }

  push(chunk: Chunk): void {
    this.#chunks.push(chunk);
  }

  /** The next chunk to post, which counts as posted from now on. */
  takeUnposted(): Chunk | undefined {
    return this.#postedCount < this.#chunks.length ? this.#chunks[this.#postedCount++] : undefined;
  }

  /** Lets go of the oldest chunk, which is in the segments or given up. */
  shift(): void {
    if (this.#chunks.shift()) this.#postedCount = Math.max(0, this.#postedCount - 1);
  }

  /** Lets go of the chunks that every stream has settled. */
  release(settledSeq: number): void {
    const kept = this.#chunks.findIndex((chunk) => lastSeqOf(chunk) > settledSeq);
    const released = kept === -1 ? this.#chunks.length : kept;
    if (released === 0) return;
    this.#chunks.splice(0, released);
    this.#postedCount = Math.max(0, this.#postedCount - released);
  }

  /** After the worker has died nothing that it was sent can be counted on. */
  repost(): void {
    this.#postedCount = 0;
  }
}

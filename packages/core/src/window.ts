import type { Chunk } from './protocol.ts';

/** The chunks that the main thread still answers for, oldest first: some posted to the worker, the newest perhaps not yet. */
export class Window {
  #chunks: Chunk[] = [];
  #postedCount = 0;
  #bytes = 0;

  /** Counted in UTF-16 units of the text, which are bytes for ASCII. */
  get bytes(): number {
    return this.#bytes;
  }

  get hasUnposted(): boolean {
    return this.#postedCount < this.#chunks.length;
  }

  push(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.text.length;
  }

  /** The next chunk to post, which counts as posted from now on. */
  takeUnposted(): Chunk | undefined {
    return this.hasUnposted ? this.#chunks[this.#postedCount++] : undefined;
  }

  /** The chunk that has waited longest. */
  get oldest(): Chunk | undefined {
    return this.#chunks[0];
  }

  /** Whether the oldest chunk is still to be posted. */
  get isOldestUnposted(): boolean {
    return this.#postedCount === 0;
  }

  /** Lets go of the oldest chunk, which is in the segments or given up. */
  shift(): void {
    const chunk = this.#chunks.shift();
    if (!chunk) return;
    this.#bytes -= chunk.text.length;
    this.#postedCount = Math.max(0, this.#postedCount - 1);
  }

  /** Lets go of the chunks that every stream has settled. */
  release(settledSeq: number): void {
    let released = 0;
    for (const chunk of this.#chunks) {
      if (chunk.firstSeq + chunk.count - 1 > settledSeq) break;
      this.#bytes -= chunk.text.length;
      released++;
    }
    if (released === 0) return;
    this.#chunks = this.#chunks.slice(released);
    this.#postedCount = Math.max(0, this.#postedCount - released);
  }

  /** After the worker has died nothing that it was sent can be counted on. */
  repost(): void {
    this.#postedCount = 0;
  }
}

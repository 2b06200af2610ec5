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

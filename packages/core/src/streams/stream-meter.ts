/** What a stream is counted by. */
export interface StreamCounters<Chunk> {
  /** Bytes of a chunk (default: those of texts, in UTF-8, and of binary data). */
  readonly bytes?: (chunk: Chunk) => number;
  /** Tokens of a chunk; without it none are counted. */
  readonly tokens?: (chunk: Chunk) => number;
}

/** Counts and times the chunks of one stream. Times are those that the source takes, not its reader. */
export class StreamMeter<Chunk> {
  readonly #counters: StreamCounters<Chunk>;
  readonly #startMs = performance.now();
  #askedMs = 0;
  #firstChunkMs: number | undefined;
  #largestGapMs = 0;
  #chunks = 0;
  #bytes = 0;
  #tokens = 0;
  #failedCounts = 0;

  constructor(counters: StreamCounters<Chunk>) {
    this.#counters = counters;
  }

  asked(): void {
    this.#askedMs = performance.now();
  }

  arrived(chunk: Chunk): void {
    const nowMs = performance.now();
    if (this.#firstChunkMs === undefined) this.#firstChunkMs = nowMs - this.#startMs;
    else this.#largestGapMs = Math.max(this.#largestGapMs, nowMs - this.#askedMs);
    this.#chunks++;
    const { bytes = sizeOf, tokens } = this.#counters;
    this.#bytes += this.#count(bytes, chunk);
    if (tokens) this.#tokens += this.#count(tokens, chunk);
  }

  /** As attributes of the stream's span. */
  attributes(): Readonly<Record<string, number | undefined>> {
    const seconds = (performance.now() - this.#startMs) / 1000;
    const perSecond = (count: number): number | undefined =>
      count > 0 && seconds > 0 ? round(count / seconds) : undefined;
    return {
      'stream.chunks': this.#chunks,
      'stream.bytes': this.#bytes,
      'stream.tokens': this.#counters.tokens && this.#tokens,
      'stream.first_chunk_ms': this.#firstChunkMs === undefined ? undefined : round(this.#firstChunkMs),
      'stream.largest_gap_ms': this.#chunks > 1 ? round(this.#largestGapMs) : undefined,
      'stream.bytes_per_s': perSecond(this.#bytes),
      'stream.tokens_per_s': perSecond(this.#tokens),
      'stream.failed_counts': this.#failedCounts > 0 ? this.#failedCounts : undefined,
    };
  }

  /** A counter of the program's that fails must not break the stream. */
  #count(counter: (chunk: Chunk) => number, chunk: Chunk): number {
    try {
      const count = counter(chunk);
      if (Number.isFinite(count)) return count;
    } catch {
      // Counted below.
    }
    this.#failedCounts++;
    return 0;
  }
}

function sizeOf(chunk: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk);
  return chunk instanceof ArrayBuffer || ArrayBuffer.isView(chunk) ? chunk.byteLength : 0;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

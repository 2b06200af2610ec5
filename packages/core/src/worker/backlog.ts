import { BatchQueue, createBatch, sliceBatch, type Batch, type BatchHints, type DrivenLines } from '@treeline/contract';
import type { LevelGate } from './level-gate.ts';

/** Of a stream that lags, what may stay in memory although the segments have it. */
const MEMORY_BYTES = 4 * 1024 * 1024;

/** A run of lines that was read back from the log's segments. */
export interface LogFrame {
  readonly firstSeq: number;
  readonly count: number;
  readonly bytes: Buffer;
}

/** Reads the log's segments in order. */
export interface LogFrames {
  /** The next frame that holds a record from `seq` on, or undefined where the segments have none yet. */
  next(seq: number): LogFrame | undefined;
}

export interface BacklogOptions {
  readonly logId: string;
  readonly hints: BatchHints;
  readonly gate: LevelGate;
  /** The stream's own place in the segments. */
  readonly frames: LogFrames;
  /** The last record that the segments hold. */
  spilledSeq(): number;
  /** Everything up to here was taken before. */
  readonly takenSeq: number;
}

/**
 * What waits for one stream: the newest lines in memory, and, where it lags, a range of the log before them that is read back from
 * the segments when its turn comes.
 *
 *     taken │ replay: (takenSeq, replayTo] in the segments │ queue: in memory │ still to come
 */
export class Backlog implements DrivenLines {
  readonly #options: BacklogOptions;
  readonly #queue: BatchQueue;
  readonly #replayed: BatchQueue;
  #hints: BatchHints;
  #takenSeq: number;
  #readSeq: number;
  #replayTo = 0;

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#hints = options.hints;
    this.#queue = new BatchQueue(options.hints);
    this.#replayed = new BatchQueue(options.hints);
    this.#takenSeq = options.takenSeq;
    this.#readSeq = options.takenSeq;
  }

  /** The transport's hints are known only once it has been loaded. */
  setHints(hints: BatchHints): void {
    this.#hints = hints;
    this.#queue.setHints(hints);
    this.#replayed.setHints(hints);
  }

  get isEmpty(): boolean {
    return this.#queue.count === 0 && !this.isLagging;
  }

  /** Whether the next lines come from the segments. */
  get isLagging(): boolean {
    return this.#replayed.count > 0 || this.#replayTo > this.#readSeq;
  }

  /** Whether more lines may be read ahead for this stream. */
  get hasRoom(): boolean {
    return !this.isLagging && this.#queue.bytes < MEMORY_BYTES;
  }

  /** Adds the lines that the stream wants of the log's next batch. */
  push(wanted: Batch, nowMs: number): void {
    const lastSeq = wanted.position?.seq ?? 0;
    if (this.isLagging && lastSeq <= this.#options.spilledSeq()) {
      this.#replayTo = lastSeq;
      return;
    }
    this.#queue.push(wanted, nowMs);
    if (this.#queue.bytes > MEMORY_BYTES) this.#evict();
  }

  dueInMs(nowMs: number): number {
    return this.isLagging ? 0 : this.#queue.dueInMs(nowMs);
  }

  take(): Batch | undefined {
    if (this.isLagging) this.#readBack();
    const batch = this.#replayed.take() ?? (this.isLagging ? undefined : this.#queue.take());
    if (batch) this.#takenSeq = batch.position?.seq ?? this.#takenSeq;
    return batch;
  }

  /** Lets go of lines in memory that the segments hold: they come back by way of the replay. */
  #evict(): void {
    const evictedSeq = this.#queue.dropUpTo(this.#options.spilledSeq());
    if (evictedSeq === undefined) return;
    if (!this.isLagging) this.#readSeq = this.#takenSeq;
    this.#replayTo = Math.max(this.#replayTo, evictedSeq);
  }

  #readBack(): void {
    const { frames, gate, logId } = this.#options;
    while (
      this.#readSeq < this.#replayTo &&
      this.#replayed.bytes < this.#hints.maxBytes &&
      this.#replayed.count < this.#hints.maxRecords
    ) {
      const frame = frames.next(this.#readSeq + 1);
      // What the segments have lost is accounted for when the backlog has emptied.
      if (!frame || frame.firstSeq > this.#replayTo) {
        this.#readSeq = this.#replayTo;
        return;
      }
      const whole = createBatch(frame.bytes, { logId, seq: frame.firstSeq });
      const from = Math.max(0, this.#readSeq + 1 - frame.firstSeq);
      const to = Math.min(whole.count, this.#replayTo - frame.firstSeq + 1);
      const part = from === 0 && to === whole.count ? whole : sliceBatch(whole, from, to);
      this.#readSeq = frame.firstSeq + to - 1;
      this.#replayed.push(gate.select(part), performance.now());
    }
  }
}

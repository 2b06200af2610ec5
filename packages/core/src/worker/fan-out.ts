import { createBatch, sliceBatch, type Batch } from '@treeline/contract';
import type { ControlBlock } from '../control-block.ts';
import type { Chunk } from '../window.ts';
import type { LogFrame, LogFrames } from './backlog.ts';
import { ChunkPool } from './chunk-pool.ts';
import type { Stream } from './stream.ts';

/** How much of the segments is read in one turn of the event loop. */
const TURN_BYTES = 1024 * 1024;

export interface FanOutOptions {
  readonly logId: string;
  /** The ring that chunks are places in. */
  readonly memory: SharedArrayBuffer;
  readonly control: ControlBlock;
  readonly streams: readonly Stream[];
  readonly frames: LogFrames;
  /** Called when records are missing from the log: neither memory nor the segments have them any more. */
  missing(firstSeq: number, lastSeq: number): void;
  /** Called when posted chunks have been taken. */
  taken(): void;
  /** Called when lines have been offered. */
  fanned(): void;
}

/**
 * Offers the log to the streams in order. Chunks come by message while the worker keeps up; those that the main thread has spilled
 * are missing in between and are read from the segments.
 */
export class FanOut {
  readonly #options: FanOutOptions;
  readonly #ring: Uint8Array;
  readonly #pool: ChunkPool;
  /** Posted and still in the ring: the worker copies no more than the streams have room for. */
  readonly #arrived: Chunk[] = [];
  #waiters: { readonly seq: number; readonly resolve: () => void }[] = [];
  #running = false;
  #fannedSeq: number;

  constructor(options: FanOutOptions) {
    this.#options = options;
    this.#ring = new Uint8Array(options.memory);
    this.#pool = new ChunkPool(
      (firstSeq, lastSeq) =>
        lastSeq > this.#fannedSeq || options.streams.some((stream) => stream.holds(firstSeq, lastSeq)),
    );
    this.#fannedSeq = options.control.read('fannedSeq');
  }

  /** Takes note of a chunk that the main thread has posted; chunks come in order. */
  arrive(chunk: Chunk): void {
    this.#arrived.push(chunk);
    this.resume();
  }

  /** To be called when a stream has room again, or more has been spilled. */
  resume(): void {
    if (this.#running) return;
    this.#running = true;
    this.#options.control.write('idle', 0);
    this.#advance();
  }

  /** Resolves when the streams have been offered everything up to `seq`. */
  reached(seq: number): Promise<void> {
    if (this.#fannedSeq >= seq) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push({ seq, resolve });
    });
  }

  #advance(): void {
    for (let bytesLeft = TURN_BYTES; bytesLeft > 0;) {
      const batch = this.#nextBatch();
      if (batch === 'wait') {
        this.#rest();
        return;
      }
      this.#offer(batch);
      bytesLeft -= batch.bytes.length;
    }
    setImmediate(() => this.#advance());
  }

  /** The next lines in the log's order, from the ring or from the segments; `wait` where none are to be had, or nobody has room. */
  #nextBatch(): Batch | 'wait' {
    const { control } = this.#options;
    for (;;) {
      const nextSeq = this.#fannedSeq + 1;
      const chunk = this.#arrived[0];
      const isNext = chunk !== undefined && chunk.firstSeq <= nextSeq;
      if (!isNext && control.read('spilledSeq') < nextSeq) {
        if (!chunk) return 'wait';
        this.#skip(chunk.firstSeq - 1);
        continue;
      }
      if (!this.#hasRoom()) return 'wait';
      const batch = isNext ? this.#takeArrived(nextSeq) : this.#readSegments(nextSeq);
      if (batch) return batch;
    }
  }

  /** The next posted chunk; undefined where the segments have already given it, or have to. */
  #takeArrived(nextSeq: number): Batch | undefined {
    const { control, logId } = this.#options;
    const chunk = this.#arrived.shift();
    if (!chunk) return undefined;
    const { firstSeq, count, start, length } = chunk;
    const isNew = firstSeq + count > nextSeq;
    const offset = start % this.#ring.length;
    const bytes =
      isNew && this.#pool.copy({ firstSeq, count, bytes: this.#ring.subarray(offset, offset + length) });
    // Written over before or while it was copied: it has been spilled, and is read from there.
    const isWhole = control.readAfter('reservedTo') <= start + this.#ring.length;
    control.write('fannedBytes', control.read('fannedBytes') + length);
    this.#options.taken();
    if (!bytes || !isWhole) return undefined;
    return from(createBatch(bytes, { logId, seq: firstSeq }), nextSeq);
  }

  #readSegments(nextSeq: number): Batch | undefined {
    const { control, frames, logId } = this.#options;
    const frame: LogFrame | undefined = frames.next(nextSeq);
    const firstSeq = frame?.firstSeq ?? control.read('spilledSeq') + 1;
    if (firstSeq > nextSeq) this.#skip(firstSeq - 1);
    if (!frame) return undefined;
    const bytes = this.#pool.copy(frame);
    return from(createBatch(bytes, { logId, seq: frame.firstSeq }), this.#fannedSeq + 1);
  }

  /** Goes on behind records that are neither in memory nor in the segments. */
  #skip(lastSeq: number): void {
    this.#options.missing(this.#fannedSeq + 1, lastSeq);
    this.#moveTo(lastSeq);
  }

  #offer(batch: Batch): void {
    for (const stream of this.#options.streams) stream.offer(batch);
    this.#moveTo(batch.position?.seq ?? this.#fannedSeq);
  }

  #moveTo(seq: number): void {
    this.#fannedSeq = seq;
    this.#options.control.write('fannedSeq', seq);
    this.#options.fanned();
    const due = this.#waiters.filter((waiter) => waiter.seq <= seq);
    if (due.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.seq > seq);
    for (const { resolve } of due) resolve();
  }

  /** Where nobody wants anything there is always room for it. */
  #hasRoom(): boolean {
    const { streams } = this.#options;
    return streams.every((stream) => stream.isRetired) || streams.some((stream) => stream.hasRoom);
  }

  /** Says that a wake-up is wanted, and looks once more for what was spilled just before that was said. */
  #rest(): void {
    const { control } = this.#options;
    this.#running = false;
    control.write('idle', 1);
    const more = control.read('spilledSeq') > this.#fannedSeq && this.#hasRoom();
    if (more) this.resume();
  }
}

function from(batch: Batch, seq: number): Batch {
  const first = batch.seq(0);
  return first >= seq ? batch : sliceBatch(batch, seq - first, batch.count);
}

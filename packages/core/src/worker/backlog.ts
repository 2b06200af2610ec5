import {
  BatchQueue,
  createBatch,
  LEVELS,
  selectLines,
  sliceBatch,
  type Batch,
  type BatchHints,
  type DrivenLines,
} from '@treeline/contract';
import { ChunkPool } from './chunk-pool.ts';
import type { LineGate } from './line-gate.ts';
import { ReplayLedger, type LineSum } from './replay-ledger.ts';

/** Of a stream that lags, what may stay in memory although the segments have it. */
const MEMORY_BYTES = 4 * 1024 * 1024;

/** Larger batches are for sinks that take their time: a buffer of their own is no matter. */
const MAX_SCRATCH_BYTES = 1024 * 1024;

/** How much of what waits is thinned at a time: some 10 ms of reading. */
const THIN_BYTES = 16 * 1024 * 1024;

/** Least levels that thinning tries in turn, until half of what it looks at has gone. */
const THIN_LEVELS = [LEVELS.info, LEVELS.warn, LEVELS.error, LEVELS.fatal, Infinity];

/** A run of lines that was read back from the log's segments; the bytes live until the next is read. */
export interface LogFrame {
  readonly firstSeq: number;
  readonly count: number;
  readonly bytes: Buffer;
}

/** Reads the log's segments. */
export interface LogFrames {
  /** The frame that holds record `seq`, else the next one behind it, or undefined where the segments have none yet. */
  next(seq: number): LogFrame | undefined;
}

export interface BacklogOptions {
  readonly logId: string;
  readonly hints: BatchHints;
  readonly gate: LineGate;
  readonly frames: LogFrames;
  /** The last record that the segments hold. */
  spilledSeq(): number;
  /** Everything up to here was taken before. */
  readonly takenSeq: number;
  /** Called when lines that were to be read back, from `firstSeq` on, turn out not to be in the segments any more. */
  lost(lines: LineSum, firstSeq: number): void;
}

/**
 * What waits for one stream: the newest lines in memory, and, where it lags, a range of the log before them that is read back from
 * the segments when its turn comes.
 *
 *     taken │ read back │ still in the segments: (readSeq, replayTo] │ queue: in memory │ still to come
 */
export class Backlog implements DrivenLines {
  readonly #options: BacklogOptions;
  readonly #queue: BatchQueue;
  readonly #readBack: BatchQueue;
  readonly #readBackMemory = new ChunkPool((_firstSeq, lastSeq) => lastSeq >= this.#readBack.firstSeq);
  readonly #ledger = new ReplayLedger();
  #hints: BatchHints;
  #takenSeq: number;
  #readSeq: number;
  #replayTo = 0;
  #thinnedSeq = 0;
  /** The sink has one batch at a time. */
  #scratch: Buffer | undefined;

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#hints = options.hints;
    this.#queue = new BatchQueue(options.hints);
    this.#readBack = new BatchQueue(options.hints);
    this.#takenSeq = options.takenSeq;
    this.#readSeq = options.takenSeq;
  }

  /** The transport's hints are known only once it has been loaded. */
  setHints(hints: BatchHints): void {
    this.#hints = hints;
    this.#scratch = Buffer.allocUnsafeSlow(Math.min(hints.maxBytes, MAX_SCRATCH_BYTES));
    this.#queue.setHints(hints);
    this.#readBack.setHints(hints);
  }

  get isEmpty(): boolean {
    return this.#queue.count === 0 && !this.isLagging;
  }

  /** From this record on, lines wait in the memory that they came in; what was read back has its own. Infinity where none do. */
  get heldFromSeq(): number {
    return this.#queue.firstSeq;
  }

  get memoryBytes(): number {
    return this.#queue.bytes + this.#readBack.bytes;
  }

  /** Whether the next lines come from the segments. */
  get isLagging(): boolean {
    return this.#readBack.count > 0 || this.#replayTo > this.#readSeq;
  }

  /** Whether more of the log may be read ahead for this stream. */
  get hasRoom(): boolean {
    return !this.isLagging && this.#queue.bytes < MEMORY_BYTES;
  }

  /** Adds the lines that the stream wants of the log's next batch. */
  push(wanted: Batch, nowMs: number): void {
    const lastSeq = wanted.position?.seq ?? 0;
    if (this.#replayTo > this.#readSeq && this.#queue.count === 0 && lastSeq <= this.#options.spilledSeq()) {
      this.#ledger.add(wanted);
      this.#replayTo = lastSeq;
      return;
    }
    this.#queue.push(wanted, nowMs);
    if (this.#queue.bytes > MEMORY_BYTES) this.#evict();
  }

  dueInMs(nowMs: number): number {
    return this.isLagging ? 0 : this.#queue.dueInMs(nowMs);
  }

  /** The next lines for the sink, which is done with the ones before. */
  take(): Batch | undefined {
    this.#readAhead();
    const batch =
      this.#readBack.take(this.#scratch) ?? (this.isLagging ? undefined : this.#queue.take(this.#scratch));
    if (batch) this.#takenSeq = batch.position?.seq ?? this.#takenSeq;
    return batch;
  }

  /** Passes over the least important of the lines that wait, oldest first, a part at a time. */
  thin(): LineSum {
    const lines = [...this.#waiting(this.#thinnedSeq, THIN_BYTES)];
    const first = lines[0];
    const last = lines.at(-1);
    if (!first || !last) {
      // All has been thinned once: begin again with what is left.
      if (this.#thinnedSeq === 0) return { count: 0, bytes: 0 };
      this.#thinnedSeq = 0;
      return this.thin();
    }
    const minLevel = THIN_LEVELS.find((level) => bytesBelow(lines, level) * 2 >= bytesBelow(lines, Infinity));
    const range = { fromSeq: first.seq(0), toSeq: last.seq(last.count - 1), minLevel: minLevel ?? Infinity };
    return this.#drop(lines, range);
  }

  /** Passes over the oldest lines that wait, whatever their level. */
  dropOldest(bytes: number): LineSum {
    const lines = [...this.#waiting(0, bytes)];
    const first = lines[0];
    const last = lines.at(-1);
    if (!first || !last) return { count: 0, bytes: 0 };
    const toSeq = last.seq(last.count - 1);
    const range = { fromSeq: first.seq(0), toSeq, minLevel: Infinity };
    // What came before has been taken or dropped: one mark does, however often the oldest go.
    const dropped = this.#drop(lines, range, true);
    if (this.#replayTo > this.#readSeq)
      this.#readSeq = Math.min(Math.max(this.#readSeq, toSeq), this.#replayTo);
    return dropped;
  }

  /** The segments up to `seq` are gone: passes over what was to be read back from them. */
  overrun(seq: number): LineSum {
    if (seq <= this.#readSeq || this.#replayTo <= this.#readSeq) return { count: 0, bytes: 0 };
    this.#readSeq = Math.min(seq, this.#replayTo);
    return this.#ledger.dropUpTo(this.#readSeq);
  }

  /** Where the lines that wait begin: everything before has been taken or dropped. */
  get firstWaitingSeq(): number {
    for (const batch of this.#waiting(0, 1)) return batch.seq(0);
    return Infinity;
  }

  #drop(
    lines: readonly Batch[],
    range: { fromSeq: number; toSeq: number; minLevel: number },
    isOldest = false,
  ): LineSum {
    const { gate } = this.#options;
    const dropped = {
      count: lines.reduce(
        (sum, batch) => sum + batch.levels.filter((level) => level < range.minLevel).length,
        0,
      ),
      bytes: bytesBelow(lines, range.minLevel),
    };
    for (const batch of lines) {
      // What is in memory is not in the ledger.
      if (batch.seq(0) > this.#readSeq && batch.seq(0) <= this.#replayTo)
        this.#ledger.take(selectBelow(batch, range.minLevel));
    }
    if (isOldest) gate.pass(range.toSeq);
    else gate.skip(range);
    this.#readBack.retain((batch) => gate.select(batch));
    this.#queue.retain((batch) => gate.select(batch));
    this.#thinnedSeq = Math.max(this.#thinnedSeq, range.toSeq);
    return dropped;
  }

  /** Batches of wanted lines behind `afterSeq`, oldest first, until they hold `maxBytes`. */
  *#waiting(afterSeq: number, maxBytes: number): Iterable<Batch> {
    let bytes = 0;
    for (const batch of this.#allWaiting(afterSeq)) {
      if (batch.count === 0 || batch.seq(batch.count - 1) <= afterSeq) continue;
      yield batch;
      bytes += batch.bytes.length;
      if (bytes >= maxBytes) return;
    }
  }

  *#allWaiting(afterSeq: number): Iterable<Batch> {
    yield* this.#readBack.batches();
    for (let seq = Math.max(this.#readSeq, afterSeq); seq < this.#replayTo;) {
      const read = this.#readFrame(seq, ({ bytes }) => Buffer.from(bytes));
      if (!read) break;
      seq = read.lastSeq;
      yield read.wanted;
    }
    yield* this.#queue.batches();
  }

  /** Lets go of lines in memory that the segments hold: they come back by way of the replay. */
  #evict(): void {
    const spilledSeq = this.#options.spilledSeq();
    for (const batch of this.#queue.batches()) {
      const lastSeq = batch.position?.seq ?? Infinity;
      if (lastSeq > spilledSeq) break;
      this.#ledger.add(batch);
    }
    const evictedSeq = this.#queue.dropUpTo(spilledSeq);
    if (evictedSeq === undefined) return;
    if (!this.isLagging) this.#readSeq = this.#takenSeq;
    this.#replayTo = Math.max(this.#replayTo, evictedSeq);
  }

  #readAhead(): void {
    while (
      this.#readSeq < this.#replayTo &&
      this.#readBack.bytes < this.#hints.maxBytes &&
      this.#readBack.count < this.#hints.maxRecords
    ) {
      const read = this.#readFrame(this.#readSeq, (frame) => this.#readBackMemory.copy(frame));
      this.#readSeq = read?.lastSeq ?? this.#replayTo;
      if (read) {
        this.#ledger.take(read.wanted);
        this.#readBack.push(read.wanted, performance.now());
      }
      const lost = this.#ledger.dropUpTo(this.#readSeq);
      if (lost.count > 0) this.#options.lost(lost, lost.firstSeq);
    }
  }

  #readFrame(
    afterSeq: number,
    copy: (frame: LogFrame) => Buffer,
  ): { wanted: Batch; lastSeq: number } | undefined {
    const { frames, gate, logId } = this.#options;
    const frame = frames.next(afterSeq + 1);
    if (!frame || frame.firstSeq > this.#replayTo) return undefined;
    const whole = createBatch(copy(frame), { logId, seq: frame.firstSeq });
    const from = Math.max(0, afterSeq + 1 - frame.firstSeq);
    const to = Math.min(whole.count, this.#replayTo - frame.firstSeq + 1);
    const part = from === 0 && to === whole.count ? whole : sliceBatch(whole, from, to);
    return { wanted: gate.select(part), lastSeq: frame.firstSeq + to - 1 };
  }
}

function selectBelow(batch: Batch, minLevel: number): Batch {
  const indexes = [...batch.levels.keys()].filter((index) => (batch.levels[index] ?? 0) < minLevel);
  return indexes.length === batch.count ? batch : selectLines(batch, indexes);
}

function bytesBelow(lines: readonly Batch[], minLevel: number): number {
  let bytes = 0;
  for (const batch of lines) {
    for (let index = 0, start = 0; index < batch.count; index++) {
      const end = batch.ends[index] ?? 0;
      if ((batch.levels[index] ?? 0) < minLevel) bytes += end - start;
      start = end;
    }
  }
  return bytes;
}

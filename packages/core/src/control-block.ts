/** Why a record was dropped; the order is that of the counters in shared memory. */
export const DROP_REASONS = [
  'queue-full',
  'log-full',
  'disk-full',
  'disk-fault',
  'closed',
  'refused',
  'reader-gone',
  'sample',
  'rate-limit',
  'dedupe',
  'fallback',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** The numbers of one stream, as they are kept in shared memory. */
export const STREAM_COUNTERS = [
  /** Odd while the worker changes the others, so that a snapshot is never of two moments. */
  'version',
  /** The last record that the stream has settled: delivered, dropped or left out by its filter. */
  'settledSeq',
  'accepted',
  'adopted',
  'delivered',
  'deadLettered',
  'queued',
  /** Of those queued, records of logs that were taken over. */
  'queuedAdopted',
  'queuedBytes',
  /** Index into STREAM_STATES. */
  'state',
  ...DROP_REASONS,
] as const;

export type StreamCounter = (typeof STREAM_COUNTERS)[number];

/** `starting` until the destination is open, `down` while it can't be written to. */
export const STREAM_STATES = ['starting', 'up', 'down', 'closed'] as const;

export type StreamState = (typeof STREAM_STATES)[number];

const LOG_COUNTERS = [
  /** What every stream has settled. */
  'settledSeq',
  /** What has been offered to the streams. */
  'fannedSeq',
  /** Of the chunks that were posted, what the worker has taken. */
  'fannedBytes',
  /** What the segments hold, as far as it was not settled before. Written by the main thread. */
  'spilledSeq',
  /** How far the main thread may have written into the ring: what stood there one round before is gone. */
  'reservedTo',
  /** What is settled and written down as such. */
  'savedSeq',
  /** Up to here segments were given up to make room, whether or not every stream had them. Written by the main thread. */
  'overrunSeq',
  /** 1 while the worker wants to be woken when more is spilled. */
  'idle',
  /** 1 while the main thread holds chunks back for want of credit. */
  'wantsCredit',
  /** The last drain that has come to its end. */
  'drained',
  /** The last request to save the cursors that was done. */
  'saved',
] as const;

type LogCounter = (typeof LOG_COUNTERS)[number];

const LOG_INDEX = indexesOf(LOG_COUNTERS);
const STREAM_INDEX = indexesOf(STREAM_COUNTERS);

function indexesOf<Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> {
  return Object.fromEntries(names.map((name, index) => [name, index])) as Record<Name, number>;
}

/** A change takes well under a microsecond, but its thread may be put aside in the middle of it. */
const MAX_SNAPSHOT_MS = 1_000;

const SIGNAL_BYTES = 8;
const LOG_BYTES = SIGNAL_BYTES + LOG_COUNTERS.length * 8;

/**
 * What the main thread and the pipeline worker know of one log, in memory that both see: the main thread reads it in the middle of a
 * synchronous burst, waits on it in `exit`, and finds it intact when the worker has died. Each number has one writer, but for the flags.
 */
export class ControlBlock {
  readonly buffer: SharedArrayBuffer;
  readonly #signal: Int32Array;
  readonly #log: BigInt64Array;
  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#signal = new Int32Array(buffer, 0, 1);
    this.#log = new BigInt64Array(buffer, SIGNAL_BYTES, LOG_COUNTERS.length);
  }

  static create(): ControlBlock {
    return new ControlBlock(new SharedArrayBuffer(LOG_BYTES));
  }

  static attach(buffer: SharedArrayBuffer): ControlBlock {
    return new ControlBlock(buffer);
  }

  read(counter: LogCounter): number {
    return Number(Atomics.load(this.#log, LOG_INDEX[counter]));
  }

  write(counter: LogCounter, value: number): void {
    Atomics.store(this.#log, LOG_INDEX[counter], BigInt(value));
  }

  /** Whether the other side has asked for a message; it is then no longer asked for. */
  takeFlag(flag: 'idle' | 'wantsCredit'): boolean {
    return Atomics.exchange(this.#log, LOG_INDEX[flag], 0n) === 1n;
  }

  /** Orders what was read before against a counter that is read now, as a seqlock needs it. */
  readAfter(counter: LogCounter): number {
    return Number(Atomics.add(this.#log, LOG_INDEX[counter], 0n));
  }

  /** Wakes whoever waits for progress. */
  notify(): void {
    Atomics.add(this.#signal, 0, 1);
    Atomics.notify(this.#signal, 0);
  }

  /** Blocks until `reached` is true or the deadline (of `performance.now()`) has passed; tells which. */
  waitUntil(reached: () => boolean, deadlineMs: number): boolean {
    for (;;) {
      const seen = Atomics.load(this.#signal, 0);
      if (reached()) return true;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return false;
      Atomics.wait(this.#signal, 0, seen, leftMs);
    }
  }
}

/** One stream's numbers, in memory of their own: streams come and go. Changed by the worker alone, read by everybody. */
export class StreamCounters {
  readonly buffer: SharedArrayBuffer;
  readonly #numbers: BigInt64Array;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#numbers = new BigInt64Array(buffer);
  }

  static create(): StreamCounters {
    return new StreamCounters(new SharedArrayBuffer(STREAM_COUNTERS.length * 8));
  }

  static attach(buffer: SharedArrayBuffer): StreamCounters {
    return new StreamCounters(buffer);
  }

  read(counter: StreamCounter): number {
    return Number(Atomics.load(this.#numbers, STREAM_INDEX[counter]));
  }

  /** Changes several numbers as one: readers see all of it or nothing. */
  update(changes: Partial<Record<StreamCounter, number>>): void {
    Atomics.add(this.#numbers, 0, 1n);
    for (const [counter, value] of Object.entries(changes)) {
      Atomics.store(this.#numbers, STREAM_INDEX[counter as StreamCounter], BigInt(value));
    }
    Atomics.add(this.#numbers, 0, 1n);
  }

  /** Adds to several numbers as one. */
  add(changes: Partial<Record<StreamCounter, number>>): void {
    Atomics.add(this.#numbers, 0, 1n);
    for (const [counter, value] of Object.entries(changes)) {
      Atomics.add(this.#numbers, STREAM_INDEX[counter as StreamCounter], BigInt(value));
    }
    Atomics.add(this.#numbers, 0, 1n);
  }

  /** The worker is dead: what it had queued will be offered again, and counted again. */
  forgetQueued(): void {
    // It may have died in the middle of a change, which would never end.
    if (this.read('version') % 2 === 1) Atomics.add(this.#numbers, 0, 1n);
    const { accepted, adopted, queued, queuedAdopted } = this.snapshot();
    this.update({
      accepted: accepted - (queued - queuedAdopted),
      adopted: adopted - queuedAdopted,
      queued: 0,
      queuedAdopted: 0,
      queuedBytes: 0,
      state: 0,
    });
  }

  /** All numbers as of one moment. */
  snapshot(): Record<StreamCounter, number> {
    const startMs = performance.now();
    for (;;) {
      const before = Atomics.load(this.#numbers, 0);
      const values = STREAM_COUNTERS.map((_, index) => Number(Atomics.load(this.#numbers, index)));
      const after = Atomics.load(this.#numbers, 0);
      const isWhole = before === after && before % 2n === 0n;
      // A worker that died in the middle of a change never ends it.
      if (isWhole || performance.now() - startMs > MAX_SNAPSHOT_MS) {
        return Object.fromEntries(STREAM_COUNTERS.map((name, index) => [name, values[index]])) as Record<
          StreamCounter,
          number
        >;
      }
    }
  }
}

import type { Batch, Delivery, SinkEvent } from '@treeline/contract';
import type { DropReason, StreamCounters } from '../control-block.ts';
import type { RefusedOutcome } from './refused-records.ts';
import type { LineSum } from './replay-ledger.ts';

const DROP_EXPLANATIONS: Readonly<Record<DropReason, string>> = {
  'queue-full': 'it lags further behind than queue.maxBytes: the least important lines are dropped',
  'log-full': 'the log has reached spool.maxBytes: the oldest lines are dropped',
  'disk-full': 'the disk is full under the state directory: the oldest lines are dropped',
  'disk-fault': 'lines are missing from the log on disk',
  closed: 'the logger is closed',
  refused: 'the destination refuses lines, and the file for them (dead letters) is full',
  'reader-gone': 'the reader has closed the pipe',
  sample: 'lines are sampled',
  'rate-limit': 'the rate limit is reached',
  dedupe: 'repeated lines are left out',
  fallback: 'another stream takes its lines',
};

/** What is told where it is dead letters that the disk does not take. */
const LETTER_EXPLANATIONS: Readonly<Partial<Record<DropReason, string>>> = {
  'disk-full':
    'the destination refuses lines, and the disk is full under the state directory: they are not kept as dead letters',
  'disk-fault':
    'the destination refuses lines, and the state directory takes no dead letters: they are not kept',
};

/** What became of a batch that the sink has had. */
export interface Settlement {
  /** The lines as they were logged. */
  readonly raw: Batch;
  readonly isAdopted: boolean;
  readonly delivery: Delivery;
  /** By the stages, before the sink got the rest. */
  readonly leftOut: Readonly<Partial<Record<DropReason, number>>>;
  readonly refused: RefusedOutcome;
  /** Another stream has taken what the sink could not. */
  readonly hasFallenBack: boolean;
}

/**
 * A stream's books: `accepted + adopted = delivered + dropped + dead-lettered + queued` after each call. What is dropped is remembered
 * until the destination has been told of it.
 */
export class StreamAccount {
  readonly #counters: StreamCounters;
  readonly #report: (event: SinkEvent) => void;
  /** Drops that the destination has not been told of. */
  #untold = new Map<DropReason, number>();

  constructor(counters: StreamCounters, report: (event: SinkEvent) => void) {
    this.#counters = counters;
    this.#report = report;
  }

  /** Lines that wait for the sink from now on. */
  accept({ count, bytes }: Batch): void {
    this.#counters.add({ accepted: count, queued: count, queuedBytes: bytes.length });
  }

  /** Lines of a log that was taken over; `lost` are records that it does not hold any more. */
  adopt(lines: LineSum, lost: number): void {
    this.#counters.add({
      adopted: lines.count + lost,
      queued: lines.count,
      queuedAdopted: lines.count,
      queuedBytes: lines.bytes,
      'disk-fault': lost,
    });
    if (lost > 0) this.remember('disk-fault', lost);
  }

  /** Records that never came to wait. */
  miss(count: number, reason: DropReason): void {
    this.#counters.add({ accepted: count, [reason]: count });
    this.remember(reason, count);
  }

  /** Lines that waited, and wait no more. */
  drop(reason: DropReason, { count, bytes }: LineSum): void {
    if (count === 0) return;
    this.#counters.add({ [reason]: count, queued: -count, queuedBytes: -bytes });
    this.remember(reason, count);
  }

  settle({ raw, isAdopted, delivery, leftOut, refused, hasFallenBack }: Settlement): void {
    this.#counters.add({
      ...Object.fromEntries(refused.dropped),
      ...leftOut,
      [hasFallenBack ? 'fallback' : 'delivered']: delivery.delivered,
      deadLettered: refused.kept,
      queued: -raw.count,
      queuedAdopted: isAdopted ? -raw.count : 0,
      queuedBytes: -raw.bytes.length,
    });
  }

  /** Keeps drops that are counted already, for the destination to be told of. */
  remember(reason: DropReason, count: number, explanation = DROP_EXPLANATIONS[reason]): void {
    if (this.#untold.size === 0) this.#report({ type: 'full', reason: explanation });
    this.#untold.set(reason, (this.#untold.get(reason) ?? 0) + count);
  }

  /** Refused records that could not be kept as dead letters, and are counted already. */
  rememberLetters(reason: DropReason, count: number): void {
    this.remember(reason, count, LETTER_EXPLANATIONS[reason]);
  }

  /** What the destination has not been told of, which counts as told from now on. */
  takeUntold(): ReadonlyMap<DropReason, number> {
    const untold = this.#untold;
    if (untold.size > 0) this.#untold = new Map();
    return untold;
  }
}

import { selectLines, sliceBatch, type Batch } from '@treeline/contract';
import type { Outcome, RecordOutcomes } from './protocol.ts';

/** What one try at a batch has come to; what is not named was delivered. Indexes are the batch's, in order. */
export interface Attempt {
  readonly delivered: number;
  readonly dead: readonly { readonly index: number; readonly reason: string }[];
  readonly retry: readonly number[];
  /** Why those of `retry` are to be tried again. */
  readonly reason: string;
  /** Whether somebody has to change something before the next try. */
  readonly isHold: boolean;
  /** Whether all was put off because the server seems to refuse everything. */
  readonly refusesAll: boolean;
  /** Records that were written anew. */
  readonly rewritten: number;
}

export interface AttemptOptions {
  /** Sends some lines, once; `indexes` are theirs in the whole batch. */
  send(lines: Batch, indexes: readonly number[], rewritten: boolean): Promise<Outcome>;
  /** The most bytes that the server is known to take at once. */
  maxBytes(): number;
  /** Called when the server finds so many bytes too large. */
  tooLarge(bytes: number): void;
  /** Whether a server that has refused so many records, and accepted none, refuses everything. */
  looksLikeAll(refused: number): boolean;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Sends a batch in as many requests as it takes, in order: halves what is too large, and finds the record for which a whole body is refused
 * by halving, too. The first fault puts off all that comes behind it.
 */
export async function attemptBatch(batch: Batch, options: AttemptOptions): Promise<Attempt> {
  const tally = new Tally();
  const ranges = rangesWithin(batch, { from: 0, to: batch.count }, options.maxBytes()).toReversed();
  for (let range = ranges.pop(); range; range = ranges.pop()) {
    const indexes = indexesOf(range);
    if (tally.isStopped) {
      tally.putOff(indexes);
      continue;
    }
    const lines = sliceBatch(batch, range.from, range.to);
    const outcome = await options.send(lines, indexes, false);
    if (outcome.kind === 'delivered') tally.delivered += indexes.length;
    else if (outcome.kind === 'records') await settleRecords(lines, indexes, outcome, tally, options);
    else if (outcome.kind === 'split' || outcome.kind === 'refused') {
      if (outcome.kind === 'split' && indexes.length > 1) options.tooLarge(lines.bytes.length);
      if (indexes.length > 1) ranges.push(...halves(batch, range).toReversed());
      else tally.die(range.from, outcome.reason);
      tally.refusal = outcome.reason;
    } else tally.stop(indexes, outcome.reason, outcome.kind !== 'retry');
    const refusesAll =
      tally.refusal !== '' && tally.delivered === 0 && options.looksLikeAll(tally.dead.length);
    if (refusesAll) tally.putOffTheDead();
  }
  return tally.result();
}

async function settleRecords(
  lines: Batch,
  indexes: readonly number[],
  outcome: RecordOutcomes,
  tally: Tally,
  options: AttemptOptions,
): Promise<void> {
  const { retry, dead, rewrite, reason } = outcome;
  tally.delivered += indexes.length - retry.length - dead.length - rewrite.length;
  for (const each of dead) tally.die(indexes[each.index] ?? 0, each.reason);
  tally.refusal ||= dead[0]?.reason ?? '';
  if (retry.length > 0) tally.stop(pick(indexes, retry), reason, false);
  if (rewrite.length === 0) return;
  const rewritten = pick(indexes, rewrite);
  const again = await options.send(selectLines(lines, rewrite), rewritten, true);
  if (again.kind === 'records') {
    // What is still refused for the same reason is refused for good.
    const refused = again.rewrite.map((index) => ({ index, reason: 'a key stands twice in it' }));
    const final = { ...again, dead: [...again.dead, ...refused], rewrite: [] };
    tally.rewritten += rewritten.length - final.retry.length - final.dead.length;
    await settleRecords(selectLines(lines, rewrite), rewritten, final, tally, options);
  } else if (again.kind === 'delivered') {
    tally.delivered += rewritten.length;
    tally.rewritten += rewritten.length;
  } else tally.stop(rewritten, again.reason, again.kind === 'hold');
}

class Tally {
  delivered = 0;
  rewritten = 0;
  isStopped = false;
  refusesAll = false;
  /** What the server said when it last refused something. */
  refusal = '';
  dead: { index: number; reason: string }[] = [];
  readonly #retry: number[] = [];
  #reason = '';
  #isHold = false;

  die(index: number, reason: string): void {
    this.dead.push({ index, reason });
  }

  /** Not by spreading them, of which a call takes some ten thousand. */
  putOff(indexes: readonly number[]): void {
    for (const index of indexes) this.#retry.push(index);
  }

  stop(indexes: readonly number[], reason: string, isHold: boolean): void {
    this.putOff(indexes);
    this.isStopped = true;
    this.#reason ||= reason;
    this.#isHold ||= isHold;
  }

  putOffTheDead(): void {
    if (this.refusesAll) return;
    this.refusesAll = true;
    this.stop(
      this.dead.map(({ index }) => index),
      `it refuses every record: ${this.refusal}`,
      true,
    );
    this.dead = [];
  }

  result(): Attempt {
    const byIndex = (a: number, b: number): number => a - b;
    return {
      delivered: this.delivered,
      rewritten: this.rewritten,
      dead: this.dead.toSorted((a, b) => a.index - b.index),
      retry: this.#retry.toSorted(byIndex),
      reason: this.#reason,
      isHold: this.#isHold,
      refusesAll: this.refusesAll,
    };
  }
}

/** Cuts a range until each part has at most so many bytes, or is one line. */
function rangesWithin(batch: Batch, range: Range, maxBytes: number): Range[] {
  if (range.to - range.from <= 1 || bytesOf(batch, range) <= maxBytes) return [range];
  return halves(batch, range).flatMap((half) => rangesWithin(batch, half, maxBytes));
}

/** Two parts of about as many bytes, each of one line at least. */
function halves(batch: Batch, { from, to }: Range): [Range, Range] {
  const middleByte = startOf(batch, from) + bytesOf(batch, { from, to }) / 2;
  let low = from + 1;
  let high = to - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (startOf(batch, middle) < middleByte) low = middle + 1;
    else high = middle;
  }
  return [
    { from, to: low },
    { from: low, to },
  ];
}

function bytesOf(batch: Batch, { from, to }: Range): number {
  return startOf(batch, to) - startOf(batch, from);
}

function startOf(batch: Batch, index: number): number {
  return index === 0 ? 0 : (batch.ends[index - 1] ?? 0);
}

function indexesOf({ from, to }: Range): number[] {
  return Array.from({ length: to - from }, (_, offset) => from + offset);
}

function pick(indexes: readonly number[], wanted: readonly number[]): number[] {
  return wanted.map((index) => indexes[index] ?? 0);
}

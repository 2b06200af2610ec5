import { joinBatches, sliceBatch, type Batch } from './batch.ts';

/** How large a batch a transport wants, and how long a record may wait for others. */
export interface BatchHints {
  readonly maxBytes: number;
  readonly maxRecords: number;
  readonly maxDelayMs: number;
  /** A record of this level or above waits for no others: it goes with what waits before it. Without it all wait alike. */
  readonly urgentLevel?: number | undefined;
}

interface Part {
  batch: Batch;
  /** The first line that was not taken yet. */
  from: number;
  readonly atMs: number;
  isUrgent: boolean;
}

/** Lines that wait for their sink, gathered into batches of the size that it wants. */
export class BatchQueue {
  #hints: BatchHints;
  readonly #parts: Part[] = [];
  #bytes = 0;
  #count = 0;
  /** How many parts are urgent. */
  #urgent = 0;

  constructor(hints: BatchHints) {
    this.#hints = hints;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#count;
  }

  /** The number of the first record that waits; Infinity where none does. */
  get firstSeq(): number {
    const [oldest] = this.#parts;
    return oldest ? oldest.batch.seq(oldest.from) : Infinity;
  }

  /** Other hints, for what waits as well. */
  setHints(hints: BatchHints): void {
    this.#hints = hints;
    for (const part of this.#parts) part.isUrgent = hasLevel(part.batch, hints.urgentLevel);
    this.#urgent = this.#parts.filter(({ isUrgent }) => isUrgent).length;
  }

  /**
   * `nowMs` is of a monotonic clock. A batch without lines (a filter left all of them out) lends its position to the one before it;
   * where nothing waits, there is nothing to lend to, and the caller may settle it at once.
   */
  push(batch: Batch, nowMs: number): void {
    if (batch.count > 0) {
      const isUrgent = hasLevel(batch, this.#hints.urgentLevel);
      this.#parts.push({ batch, from: 0, atMs: nowMs, isUrgent });
      this.#bytes += batch.bytes.length;
      this.#count += batch.count;
      if (isUrgent) this.#urgent++;
      return;
    }
    const last = this.#parts.at(-1);
    if (last && logOf(last.batch) === logOf(batch)) last.batch = joinBatches([last.batch, batch]);
  }

  /** How long to wait until a batch should go: 0 where one is full, a line is urgent or the oldest has waited long enough. */
  dueInMs(nowMs: number): number {
    const oldest = this.#parts[0];
    if (!oldest) return Infinity;
    if (this.#urgent > 0 || this.#bytes >= this.#hints.maxBytes || this.#count >= this.#hints.maxRecords)
      return 0;
    return Math.max(0, oldest.atMs + this.#hints.maxDelayMs - nowMs);
  }

  /**
   * Lets go of the oldest batches whose every line is at or before `seq` of their log.
   *
   * @returns the position of the last one, or undefined where none was.
   */
  dropUpTo(seq: number): number | undefined {
    let dropped = 0;
    let lastSeq: number | undefined;
    for (const { batch, from } of this.#parts) {
      const settles = batch.position?.seq ?? Infinity;
      if (settles > seq) break;
      lastSeq = settles;
      dropped++;
      this.#count -= batch.count - from;
      this.#bytes -= batch.bytes.length - (from === 0 ? 0 : (batch.ends[from - 1] ?? 0));
    }
    this.#remove(dropped);
    return lastSeq;
  }

  /** What waits, oldest first. */
  *batches(): Iterable<Batch> {
    for (const { batch, from } of this.#parts)
      yield from === 0 ? batch : sliceBatch(batch, from, batch.count);
  }

  /** Replaces each batch that waits by what `select` leaves of it. */
  retain(select: (batch: Batch) => Batch): void {
    const before = this.#parts
      .splice(0)
      .map((part) => ({ ...part, batch: sliceBatch(part.batch, part.from, part.batch.count) }));
    this.#bytes = 0;
    this.#count = 0;
    this.#urgent = 0;
    for (const { batch, atMs } of before) this.push(select(batch), atMs);
  }

  /**
   * Takes the oldest lines, up to the hints and of one log; a single line over `maxBytes` goes alone. Lines of several batches are
   * joined in `scratch` where they fit, and live until it is used again.
   */
  take(scratch?: Buffer): Batch | undefined {
    const taken: Batch[] = [];
    let bytesLeft = this.#hints.maxBytes;
    let recordsLeft = this.#hints.maxRecords;
    let partsUsedUp = 0;
    for (const part of this.#parts) {
      const { batch, from } = part;
      if (taken[0] && logOf(taken[0]) !== logOf(batch)) break;
      const least = taken.length === 0 ? 1 : 0;
      const to = from + Math.max(least, countWithin(batch, from, bytesLeft, recordsLeft));
      if (to === from) break;
      const piece = from === 0 && to === batch.count ? batch : sliceBatch(batch, from, to);
      taken.push(piece);
      bytesLeft -= piece.bytes.length;
      recordsLeft -= piece.count;
      part.from = to;
      if (to < batch.count) break;
      partsUsedUp++;
    }
    this.#remove(partsUsedUp);
    if (taken.length === 0) return undefined;
    const batch = joinBatches(taken, scratch);
    this.#bytes -= batch.bytes.length;
    this.#count -= batch.count;
    return batch;
  }

  #remove(parts: number): void {
    for (const { isUrgent } of this.#parts.splice(0, parts)) if (isUrgent) this.#urgent--;
  }
}

function hasLevel({ levels }: Batch, least: number | undefined): boolean {
  if (least === undefined) return false;
  for (const level of levels) if (level >= least) return true;
  return false;
}

function logOf(batch: Batch): string | undefined {
  return batch.position?.logId;
}

/** How many lines from `from` on fit, found by bisection over their ends. */
function countWithin(batch: Batch, from: number, maxBytes: number, maxRecords: number): number {
  const limit = (from === 0 ? 0 : (batch.ends[from - 1] ?? 0)) + maxBytes;
  let low = from;
  let high = Math.min(batch.count, from + maxRecords);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((batch.ends[middle - 1] ?? 0) <= limit) low = middle;
    else high = middle - 1;
  }
  return low - from;
}

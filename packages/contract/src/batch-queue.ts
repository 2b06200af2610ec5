import { joinBatches, sliceBatch, type Batch } from './batch.ts';

/** How large a batch a transport wants, and how long a record may wait for others. */
export interface BatchHints {
  readonly maxBytes: number;
  readonly maxRecords: number;
  readonly maxDelayMs: number;
}

/** Lines that wait for their sink, gathered into batches of the size that it wants. */
export class BatchQueue {
  readonly #hints: BatchHints;
  readonly #parts: { batch: Batch; atMs: number }[] = [];
  #bytes = 0;
  #count = 0;

  constructor(hints: BatchHints) {
    this.#hints = hints;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#count;
  }

  /** `nowMs` is of a monotonic clock. */
  push(batch: Batch, nowMs: number): void {
    if (batch.count === 0) return;
    this.#parts.push({ batch, atMs: nowMs });
    this.#bytes += batch.bytes.length;
    this.#count += batch.count;
  }

  /** How long to wait until a batch should go: 0 where one is full or its oldest line has waited long enough. */
  dueInMs(nowMs: number): number {
    const oldest = this.#parts[0];
    if (!oldest) return Infinity;
    if (this.#bytes >= this.#hints.maxBytes || this.#count >= this.#hints.maxRecords) return 0;
    return Math.max(0, oldest.atMs + this.#hints.maxDelayMs - nowMs);
  }

  /** Takes the oldest lines, up to the hints; a single line over `maxBytes` goes alone. */
  take(): Batch | undefined {
    const taken: Batch[] = [];
    let bytesLeft = this.#hints.maxBytes;
    let recordsLeft = this.#hints.maxRecords;
    for (let part = this.#parts[0]; part && recordsLeft > 0; part = this.#parts[0]) {
      const { batch } = part;
      const fits = countWithin(batch, bytesLeft, recordsLeft, taken.length === 0);
      if (fits === 0) break;
      if (fits === batch.count) {
        taken.push(batch);
        this.#parts.shift();
      } else {
        taken.push(sliceBatch(batch, 0, fits));
        part.batch = sliceBatch(batch, fits, batch.count);
      }
      const bytes = taken.at(-1)?.bytes.length ?? 0;
      bytesLeft -= bytes;
      recordsLeft -= fits;
      this.#bytes -= bytes;
      this.#count -= fits;
    }
    return taken.length > 0 ? joinBatches(taken) : undefined;
  }
}

function countWithin(batch: Batch, maxBytes: number, maxRecords: number, atLeastOne: boolean): number {
  let count = Math.min(batch.count, maxRecords);
  while (count > 0 && (batch.ends[count - 1] ?? 0) > maxBytes) count--;
  return count === 0 && atLeastOne ? 1 : count;
}

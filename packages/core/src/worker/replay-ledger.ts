import type { Batch } from '@treeline/contract';

/** Small batches share an entry up to this size: what a stream may lag by would otherwise cost more memory than the log disk. */
const ENTRY_BYTES = 64 * 1024;

interface Entry {
  readonly firstSeq: number;
  lastSeq: number;
  count: number;
  bytes: number;
}

/** Lines, without saying which. */
export interface LineSum {
  readonly count: number;
  readonly bytes: number;
}

/**
 * What a stream has still to get from the log's segments, by where it lies: so that it is known at once what is lost with a segment,
 * without reading it.
 */
export class ReplayLedger {
  /** Each covers the records behind the one before. */
  #entries: Entry[] = [];

  /** Lines that are to be read back; later than all before. */
  add(lines: Batch): void {
    const { count } = lines;
    if (count === 0) return;
    const bytes = lines.bytes.length;
    const lastSeq = lines.position?.seq ?? lines.seq(count - 1);
    const newest = this.#entries.at(-1);
    if (newest && newest.bytes + bytes <= ENTRY_BYTES) {
      newest.lastSeq = lastSeq;
      newest.count += count;
      newest.bytes += bytes;
    } else this.#entries.push({ firstSeq: lines.seq(0), lastSeq, count, bytes });
  }

  /** These lines are not to be read any more, or have been. */
  take(lines: Batch): void {
    let entry = this.#entries.findIndex(({ lastSeq }) => lastSeq >= lines.seq(0));
    for (let index = 0, start = 0; index < lines.count; index++) {
      const end = lines.ends[index] ?? 0;
      while ((this.#entries[entry]?.lastSeq ?? Infinity) < lines.seq(index)) entry++;
      const from = this.#entries[entry];
      if (from) {
        from.count--;
        from.bytes -= end - start;
      }
      start = end;
    }
  }

  /** Forgets what lies up to `seq`; returns what had not been taken, and from which record on that may be. */
  dropUpTo(seq: number): LineSum & { readonly firstSeq: number } {
    let count = 0;
    let bytes = 0;
    let firstSeq = Infinity;
    const kept = this.#entries.findIndex(({ lastSeq }) => lastSeq > seq);
    const dropped = this.#entries.splice(0, kept === -1 ? this.#entries.length : kept);
    for (const entry of dropped) {
      count += entry.count;
      bytes += entry.bytes;
      if (entry.count > 0) firstSeq = Math.min(firstSeq, entry.firstSeq);
    }
    return { count, bytes, firstSeq };
  }
}

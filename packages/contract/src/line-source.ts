import { DEFAULT_LEVEL, readLevel } from './level.ts';
import { readPrefix } from './line-prefix.ts';
import { parseLine, type LogRecord } from './record.ts';

/** Where a batch's records come from. Slices, selections and joins share it, so that each line is parsed once. */
export interface LineSource {
  record(index: number): LogRecord;
  /** The record, where it has been parsed already. */
  parsedRecord(index: number): LogRecord | undefined;
  seq(index: number): number;
}

/** Lines with bytes of their own. */
export class OwnLines implements LineSource {
  readonly #bytes: Buffer;
  readonly #ends: Uint32Array;
  /** The first line's number, where the others follow it, or each line's. A closure here would keep its whole scope alive. */
  readonly #seqs: number | Float64Array;
  readonly #parsed: (LogRecord | undefined)[];

  constructor(
    bytes: Buffer,
    ends: Uint32Array,
    seqs: number | Float64Array,
    parsed: (LogRecord | undefined)[] = [],
  ) {
    this.#bytes = bytes;
    this.#ends = ends;
    this.#seqs = seqs;
    this.#parsed = parsed;
  }

  /** Lets go of a source: what it has parsed is taken over, `bytes` are a copy of its lines. */
  static from(source: LineSource, bytes: Buffer, ends: Uint32Array): OwnLines {
    const seqs = Float64Array.from(ends, (_end, index) => source.seq(index));
    const parsed = Array.from(ends, (_end, index) => source.parsedRecord(index));
    return new OwnLines(bytes, ends, seqs, parsed);
  }

  record(index: number): LogRecord {
    return (this.#parsed[index] ??= parseFrom(
      this.#bytes,
      startOf(this.#ends, index),
      this.#ends[index] ?? 0,
    ));
  }

  parsedRecord(index: number): LogRecord | undefined {
    return this.#parsed[index];
  }

  seq(index: number): number {
    return typeof this.#seqs === 'number' ? this.#seqs + index : (this.#seqs[index] ?? Number.NaN);
  }
}

/** Some lines of another source. */
export class SelectedLines implements LineSource {
  readonly #source: LineSource;
  readonly #indexes: readonly number[];

  constructor(source: LineSource, first: number, indexes: readonly number[]) {
    // A selection of a selection goes to the bottom at once: a batch that is refused in part again and again must not nest.
    const below = source instanceof SelectedLines ? source : undefined;
    this.#source = below ? below.#source : source;
    this.#indexes = indexes.map((index) => (below ? (below.#indexes[first + index] ?? 0) : first + index));
  }

  record(index: number): LogRecord {
    return this.#source.record(this.#indexes[index] ?? 0);
  }

  parsedRecord(index: number): LogRecord | undefined {
    return this.#source.parsedRecord(this.#indexes[index] ?? 0);
  }

  seq(index: number): number {
    return this.#source.seq(this.#indexes[index] ?? 0);
  }
}

interface JoinedPart {
  readonly source: LineSource;
  /** The index of the part's first line in its source. */
  readonly first: number;
  readonly count: number;
}

/** Runs of lines of other sources, one behind the other. */
export class JoinedLines implements LineSource {
  readonly #parts: readonly JoinedPart[];
  readonly #starts: number[] = [];

  constructor(parts: readonly JoinedPart[]) {
    this.#parts = parts;
    let start = 0;
    for (const { count } of parts) {
      this.#starts.push(start);
      start += count;
    }
  }

  record(index: number): LogRecord {
    const { source, at } = this.#locate(index);
    return source.record(at);
  }

  parsedRecord(index: number): LogRecord | undefined {
    const { source, at } = this.#locate(index);
    return source.parsedRecord(at);
  }

  seq(index: number): number {
    const { source, at } = this.#locate(index);
    return source.seq(at);
  }

  /** In the last part that starts at or before the line. */
  #locate(index: number): { source: LineSource; at: number } {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    const part = this.#parts[low];
    if (!part) throw new RangeError(`there is no line ${index}`);
    return { source: part.source, at: part.first + index - (this.#starts[low] ?? 0) };
  }
}

/** The offset of a line, from the offsets behind all lines. */
export function startOf(ends: ArrayLike<number>, index: number): number {
  return index === 0 ? 0 : (ends[index - 1] ?? 0);
}

/** A user may log keys named `level` or `time`: JSON.parse would take the last of two, here the line's own prefix wins. */
function parseFrom(bytes: Buffer, start: number, end: number): LogRecord {
  const record = parseLine(bytes.toString('utf8', start, end - 1));
  const prefix = readPrefix(bytes, start);
  record.level = prefix?.level ?? readLevel(record.level) ?? DEFAULT_LEVEL;
  if (prefix?.time !== undefined) record.time = prefix.time;
  return record;
}

import { DEFAULT_LEVEL, readLevel } from './level.ts';
import { readPrefixLevel } from './line-prefix.ts';
import { JoinedLines, OwnLines, SelectedLines, startOf, type LineSource } from './line-source.ts';
import { parseLine, type LogRecord } from './record.ts';

/** Where a batch stands in the log that it comes from. */
export interface BatchPosition {
  /** Identifies the log; a process that starts anew has another one. */
  readonly logId: string;
  /** The last record of the log that this batch settles, records that a filter left out included. */
  readonly seq: number;
}

/**
 * A run of complete lines, shared by all sinks and therefore read-only: neither bytes nor records may be changed.
 * Sinks that can splice `bytes` should, and never ask for records.
 */
export interface Batch {
  /** The lines, each ended by a line feed. */
  readonly bytes: Buffer;
  readonly count: number;
  /** For each line the offset behind its line feed. */
  readonly ends: Uint32Array;
  /** For each line its level, read without parsing; levels over 255 read as 255. */
  readonly levels: Uint8Array;
  /** Absent where a transport runs bare, without core. */
  readonly position: BatchPosition | undefined;
  /** The bytes of one line, without its line feed. */
  line(index: number): Buffer;
  /** One parsed record; each line is parsed once, however many sinks ask, unless they select different small parts of a batch. */
  record(index: number): LogRecord;
  /** The number of one record in its log; NaN where there is no position. */
  seq(index: number): number;
  records(): readonly LogRecord[];
}

const LINE_FEED = 10;
const OPENING_BRACE = 0x7b;

/**
 * Scans lines into a batch. The bytes must end with a line feed and hold no empty line; `first` is the first record's place.
 *
 * @throws RangeError where the last line is not ended.
 */
export function createBatch(bytes: Buffer, first?: BatchPosition): Batch {
  if (bytes.length > 0 && bytes[bytes.length - 1] !== LINE_FEED)
    throw new RangeError('bytes must end with a line feed');
  const ends = findLineEnds(bytes);
  const levels = new Uint8Array(ends.length);
  for (let index = 0, start = 0; index < ends.length; index++) {
    const end = ends[index] ?? 0;
    levels[index] = Math.min(255, Math.max(0, lineLevel(bytes, start, end)));
    start = end;
  }
  const position = first && { logId: first.logId, seq: first.seq + ends.length - 1 };
  const source = new OwnLines(bytes, ends, first?.seq ?? Number.NaN);
  return new LineBatch(bytes, ends, levels, position, source, 0);
}

/**
 * The lines of a batch from one index up to another, without copying. A head settles what comes before the tail's first record;
 * the tail settles what the whole batch settles.
 *
 * @throws RangeError where the batch has no such lines.
 */
export function sliceBatch(batch: Batch, from: number, to: number): Batch {
  if (!(from >= 0 && from <= to && to <= batch.count))
    throw new RangeError(`lines must be within 0 and ${batch.count}; got ${from} to ${to}`);
  const offset = startOf(batch.ends, from);
  const ends = batch.ends.slice(from, to);
  if (offset > 0) for (let index = 0; index < ends.length; index++) ends[index] = (ends[index] ?? 0) - offset;
  const position =
    batch.position && to < batch.count
      ? { logId: batch.position.logId, seq: batch.seq(to) - 1 }
      : batch.position;
  const { source, first } = sourceOf(batch);
  return new LineBatch(
    batch.bytes.subarray(offset, startOf(batch.ends, to)),
    ends,
    batch.levels.subarray(from, to),
    position,
    source,
    first + from,
  );
}

/** Some lines of a batch, by ascending index; they settle what the whole batch settles. */
export function selectLines(batch: Batch, indexes: readonly number[]): Batch {
  if (indexes.length === batch.count) return batch;
  const ends = new Uint32Array(indexes.length);
  const levels = new Uint8Array(indexes.length);
  let bytesSelected = 0;
  for (const [at, index] of indexes.entries()) {
    bytesSelected += (batch.ends[index] ?? 0) - startOf(batch.ends, index);
    ends[at] = bytesSelected;
    levels[at] = batch.levels[index] ?? 0;
  }
  const bytes = copyLines(batch, indexes, bytesSelected);
  const { source, first } = sourceOf(batch);
  const selected = new SelectedLines(source, first, indexes);
  // A few lines that wait for a slow sink must not keep the whole batch in memory.
  const small = bytesSelected * 2 < batch.bytes.length;
  return new LineBatch(
    bytes,
    ends,
    levels,
    batch.position,
    small ? OwnLines.from(selected, bytes, ends) : selected,
    0,
  );
}

/**
 * Joins batches of one log, in the log's order, into one that stands at the position of the last. Its bytes are put into `scratch`
 * where they fit: the batch then lives until that is used again.
 *
 * @throws RangeError where the batches are of different logs: one position can't settle both.
 */
export function joinBatches(parts: readonly Batch[], scratch?: Buffer): Batch {
  const only = parts[0];
  if (only && parts.length === 1) return only;
  const position = parts.at(-1)?.position;
  if (parts.some((part) => part.position?.logId !== position?.logId))
    throw new RangeError('batches must be of one log to be joined');
  const filled = parts.filter((part) => part.count > 0);
  const [lone] = filled;
  if (lone && filled.length === 1) {
    const { source, first } = sourceOf(lone);
    return new LineBatch(lone.bytes, lone.ends, lone.levels, position, source, first);
  }
  const count = filled.reduce((sum, part) => sum + part.count, 0);
  const ends = new Uint32Array(count);
  const levels = new Uint8Array(count);
  let index = 0;
  let offset = 0;
  for (const part of filled) {
    levels.set(part.levels, index);
    for (const end of part.ends) ends[index++] = offset + end;
    offset += part.bytes.length;
  }
  const bytes = concatInto(
    scratch,
    filled.map((part) => part.bytes),
    offset,
  );
  return new LineBatch(
    bytes,
    ends,
    levels,
    position,
    new JoinedLines(filled.map((part) => ({ ...sourceOf(part), count: part.count }))),
    0,
  );
}

/** A batch as plain data that can be sent to another thread. */
export interface BatchParts {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ends: Uint32Array;
  readonly levels: Uint8Array;
  readonly position: BatchPosition | undefined;
  /** The number of each record. */
  readonly seqs: Float64Array;
}

/** Copies a batch into parts whose buffers belong to nobody else: a message would copy a view's whole buffer. */
export function batchToParts(batch: Batch): BatchParts {
  return {
    bytes: new Uint8Array(batch.bytes),
    ends: new Uint32Array(batch.ends),
    levels: new Uint8Array(batch.levels),
    position: batch.position,
    seqs: Float64Array.from({ length: batch.count }, (_, index) => batch.seq(index)),
  };
}

/** The batch that the parts were made of. */
export function batchFromParts(parts: BatchParts): Batch {
  const bytes = Buffer.from(parts.bytes.buffer, parts.bytes.byteOffset, parts.bytes.byteLength);
  const source = new OwnLines(bytes, parts.ends, parts.seqs);
  return new LineBatch(bytes, parts.ends, parts.levels, parts.position, source, 0);
}

class LineBatch implements Batch {
  readonly bytes: Buffer;
  readonly ends: Uint32Array;
  readonly levels: Uint8Array;
  readonly position: BatchPosition | undefined;
  readonly source: LineSource;
  /** The index of the first line in the source. */
  readonly first: number;

  constructor(
    bytes: Buffer,
    ends: Uint32Array,
    levels: Uint8Array,
    position: BatchPosition | undefined,
    source: LineSource,
    first: number,
  ) {
    this.bytes = bytes;
    this.ends = ends;
    this.levels = levels;
    this.position = position;
    this.source = source;
    this.first = first;
  }

  get count(): number {
    return this.ends.length;
  }

  line(index: number): Buffer {
    return this.bytes.subarray(startOf(this.ends, index), (this.ends[index] ?? 1) - 1);
  }

  record(index: number): LogRecord {
    return this.source.record(this.first + index);
  }

  parsedRecord(index: number): LogRecord | undefined {
    return this.source.parsedRecord(this.first + index);
  }

  seq(index: number): number {
    return this.source.seq(this.first + index);
  }

  records(): readonly LogRecord[] {
    return Array.from({ length: this.count }, (_, index) => this.record(index));
  }
}

function concatInto(scratch: Buffer | undefined, parts: readonly Buffer[], length: number): Buffer {
  if (!scratch || scratch.length < length) return Buffer.concat(parts, length);
  let offset = 0;
  for (const part of parts) offset += part.copy(scratch, offset);
  return scratch.subarray(0, length);
}

function sourceOf(batch: Batch): { source: LineSource; first: number } {
  if (batch instanceof LineBatch) return batch;
  // Made by another copy of this package: a program may have two.
  const source: LineSource = {
    record: (index) => batch.record(index),
    parsedRecord: () => undefined,
    seq: (index) => batch.seq(index),
  };
  return { source, first: 0 };
}

/** Grows to the most lines that a batch had; filled and copied within one call. */
let endsFound = new Uint32Array(1024);

function findLineEnds(bytes: Buffer): Uint32Array {
  let count = 0;
  for (let end = bytes.indexOf(LINE_FEED) + 1; end > 0; end = bytes.indexOf(LINE_FEED, end) + 1) {
    if (count === endsFound.length) {
      const larger = new Uint32Array(count * 2);
      larger.set(endsFound);
      endsFound = larger;
    }
    endsFound[count++] = end;
  }
  return endsFound.slice(0, count);
}

/** Copies runs of neighbouring lines, not line by line. */
function copyLines(batch: Batch, indexes: readonly number[], length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let offset = 0;
  for (let at = 0; at < indexes.length;) {
    const first = indexes[at] ?? 0;
    let last = first;
    while (indexes[++at] === last + 1) last++;
    offset += batch.bytes.copy(bytes, offset, startOf(batch.ends, first), batch.ends[last]);
  }
  return bytes;
}

function lineLevel(bytes: Buffer, start: number, end: number): number {
  const level = readPrefixLevel(bytes, start);
  if (level >= 0) return level;
  if (bytes[start] !== OPENING_BRACE) return DEFAULT_LEVEL;
  return readLevel(parseLine(bytes.toString('utf8', start, end - 1)).level) ?? DEFAULT_LEVEL;
}

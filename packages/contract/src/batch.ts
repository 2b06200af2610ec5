import { DEFAULT_LEVEL, readLevel } from './level.ts';
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
  /** One parsed record; each line is parsed once, however many sinks ask. */
  record(index: number): LogRecord;
  /** The number of one record in its log; NaN where there is no position. */
  seq(index: number): number;
  records(): readonly LogRecord[];
}

const LINE_FEED = 10;
const PREFIX = Buffer.from('{"level":');
const TIME_KEY = Buffer.from(',"time":');

/** Scans lines into a batch. The bytes must end with a line feed and hold no empty line; `first` is the first record's place. */
export function createBatch(bytes: Buffer, first?: BatchPosition): Batch {
  const ends: number[] = [];
  const levels: number[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(LINE_FEED, start) + 1;
    if (end === 0) throw new RangeError('bytes must end with a line feed');
    ends.push(end);
    levels.push(Math.min(255, Math.max(0, lineLevel(bytes, start, end))));
    start = end;
  }
  return new LineBatch(
    bytes,
    Uint32Array.from(ends),
    Uint8Array.from(levels),
    first && { logId: first.logId, seq: first.seq + ends.length - 1 },
    parsedLines(bytes, ends, first?.seq ?? Number.NaN),
  );
}

/** A batch as plain data that can be sent to another thread. */
export interface BatchParts {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
  readonly levels: Uint8Array;
  readonly position: BatchPosition | undefined;
  /** The number of each record. */
  readonly seqs: Float64Array;
}

/** Copies a batch into parts whose buffers belong to nobody else. */
export function batchToParts(batch: Batch): BatchParts {
  return {
    bytes: Uint8Array.from(batch.bytes),
    ends: Uint32Array.from(batch.ends),
    levels: Uint8Array.from(batch.levels),
    position: batch.position,
    seqs: Float64Array.from(batch.ends, (_, index) => batch.seq(index)),
  };
}

export function batchFromParts(parts: BatchParts): Batch {
  const bytes = Buffer.from(parts.bytes.buffer, parts.bytes.byteOffset, parts.bytes.byteLength);
  return new LineBatch(bytes, parts.ends, parts.levels, parts.position, {
    ...parsedLines(bytes, parts.ends, Number.NaN),
    seq: (index) => parts.seqs[index] ?? Number.NaN,
  });
}

/** Where a batch's records come from: its own bytes, or the batches that it was made of. */
interface LineSource {
  record(index: number): LogRecord;
  seq(index: number): number;
}

function parsedLines(bytes: Buffer, ends: ArrayLike<number>, firstSeq: number): LineSource {
  const parsed: LogRecord[] = [];
  return {
    record: (index) => (parsed[index] ??= parseFrom(bytes, ends, index)),
    seq: (index) => firstSeq + index,
  };
}

/** The lines of a batch from one index up to another, without copying. */
export function sliceBatch(batch: Batch, from: number, to: number): Batch {
  const offset = from === 0 ? 0 : (batch.ends[from - 1] ?? 0);
  const end = to === 0 ? 0 : (batch.ends[to - 1] ?? 0);
  return new LineBatch(
    batch.bytes.subarray(offset, end),
    batch.ends.slice(from, to).map((lineEnd) => lineEnd - offset),
    batch.levels.subarray(from, to),
    // Cut in the middle, the head settles all that comes before the tail's first record.
    batch.position && to < batch.count ? { ...batch.position, seq: batch.seq(to) - 1 } : batch.position,
    { record: (index) => batch.record(from + index), seq: (index) => batch.seq(from + index) },
  );
}

/** Some lines of a batch, by ascending index; they settle what the whole batch settles. */
export function selectLines(batch: Batch, indexes: readonly number[]): Batch {
  const lines = indexes.map((index) => batch.bytes.subarray(startOf(batch.ends, index), batch.ends[index]));
  const ends = new Uint32Array(lines.length);
  let end = 0;
  for (const [index, line] of lines.entries()) ends[index] = end += line.length;
  return new LineBatch(
    Buffer.concat(lines, end),
    ends,
    Uint8Array.from(indexes, (index) => batch.levels[index] ?? 0),
    batch.position,
    {
      record: (index) => batch.record(indexes[index] ?? 0),
      seq: (index) => batch.seq(indexes[index] ?? 0),
    },
  );
}

/** Joins batches into one that stands at the position of the last. */
export function joinBatches(parts: readonly Batch[]): Batch {
  const only = parts[0];
  if (only && parts.length === 1) return only;
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const ends = new Uint32Array(count);
  const levels = new Uint8Array(count);
  const firstIndexes: number[] = [];
  let index = 0;
  let offset = 0;
  for (const part of parts) {
    firstIndexes.push(index);
    levels.set(part.levels, index);
    for (const end of part.ends) ends[index++] = offset + end;
    offset += part.bytes.length;
  }
  const bytes = Buffer.concat(
    parts.map((part) => part.bytes),
    offset,
  );
  const locate = (at: number): { part: Batch; index: number } => {
    const part = firstIndexes.findLastIndex((first) => first <= at);
    return { part: parts[part] as Batch, index: at - (firstIndexes[part] ?? 0) };
  };
  return new LineBatch(bytes, ends, levels, parts.at(-1)?.position, {
    record(at) {
      const { part, index: inPart } = locate(at);
      return part.record(inPart);
    },
    seq(at) {
      const { part, index: inPart } = locate(at);
      return part.seq(inPart);
    },
  });
}

class LineBatch implements Batch {
  readonly bytes: Buffer;
  readonly ends: Uint32Array;
  readonly levels: Uint8Array;
  readonly position: BatchPosition | undefined;
  readonly #source: LineSource;

  constructor(
    bytes: Buffer,
    ends: Uint32Array,
    levels: Uint8Array,
    position: BatchPosition | undefined,
    source: LineSource,
  ) {
    this.bytes = bytes;
    this.ends = ends;
    this.levels = levels;
    this.position = position;
    this.#source = source;
  }

  get count(): number {
    return this.ends.length;
  }

  line(index: number): Buffer {
    return this.bytes.subarray(startOf(this.ends, index), (this.ends[index] ?? 1) - 1);
  }

  record(index: number): LogRecord {
    return this.#source.record(index);
  }

  seq(index: number): number {
    return this.#source.seq(index);
  }

  records(): readonly LogRecord[] {
    return Array.from(this.ends, (_, index) => this.record(index));
  }
}

function startOf(ends: ArrayLike<number>, index: number): number {
  return index === 0 ? 0 : (ends[index - 1] ?? 0);
}

function lineLevel(bytes: Buffer, start: number, end: number): number {
  const prefix = startsWith(bytes, PREFIX, start) ? readDigits(bytes, start + PREFIX.length) : undefined;
  if (prefix) return prefix.value;
  return readLevel(parseLine(bytes.toString('utf8', start, end - 1)).level) ?? DEFAULT_LEVEL;
}

/** A user may log keys named `level` or `time`: JSON.parse would take the last of two, here the line's own prefix wins. */
function parseFrom(bytes: Buffer, ends: ArrayLike<number>, index: number): LogRecord {
  const start = startOf(ends, index);
  const record = parseLine(bytes.toString('utf8', start, (ends[index] ?? 1) - 1));
  const level = startsWith(bytes, PREFIX, start) ? readDigits(bytes, start + PREFIX.length) : undefined;
  record.level = level?.value ?? readLevel(record.level) ?? DEFAULT_LEVEL;
  if (level && startsWith(bytes, TIME_KEY, level.end)) {
    const time = readDigits(bytes, level.end + TIME_KEY.length);
    if (time) record.time = time.value;
  }
  return record;
}

function startsWith(bytes: Buffer, text: Buffer, at: number): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  return true;
}

/** Reads an unsigned integer that a comma or the object's end follows. */
function readDigits(bytes: Buffer, start: number): { value: number; end: number } | undefined {
  let value = 0;
  let end = start;
  for (let digit = digitAt(bytes, end); digit >= 0; digit = digitAt(bytes, ++end)) value = value * 10 + digit;
  const next = bytes[end];
  return end > start && (next === 0x2c || next === 0x7d) ? { value, end } : undefined;
}

function digitAt(bytes: Buffer, at: number): number {
  const byte = bytes[at] ?? 0;
  return byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : -1;
}

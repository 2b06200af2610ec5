import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isErrno, parseLogDirectory } from './layout.ts';
import { listSegmentIndexes, listSegments, segmentPath } from './segment-files.ts';
import {
  decodeFrameHeader,
  decodeSegmentHeader,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  payloadCrc,
  SEGMENT_HEADER_BYTES,
  segmentSalt,
  type FrameHeader,
} from './segment.ts';

const READ_BYTES = 256 * 1024;
const DEFAULT_RUN_BYTES = 64 * 1024;

/** A run of complete lines with consecutive sequence numbers. The bytes are the caller's to keep, unless the window is reused. */
export interface LogRun {
  readonly firstSeq: number;
  readonly count: number;
  readonly bytes: Buffer;
  /** The highest level in it; 255 where the writer did not know. */
  readonly maxLevel: number;
}

/** What a log turned out not to hold any more. */
export interface Damage {
  /**
   * `corrupt`: records that were in the log can't be read; `missing`: a segment's file is gone; `torn`: the remains of an append that
   * never returned, which cost no record.
   */
  readonly reason: 'corrupt' | 'missing' | 'torn';
  /**
   * Exact, with two exceptions: behind the last intact frame a damaged header takes its count with it, and where the first wanted record
   * stands within a damaged frame, unwanted ones of that frame may be counted.
   */
  readonly records: number;
  /** Passed over. */
  readonly bytes: number;
  /** The range that the lost records are of; it may hold numbers that were never written to the log. */
  readonly fromSeq: number;
  readonly toSeq: number;
}

export interface LogReaderOptions {
  /** The first record that is wanted. @default 0 */
  readonly fromSeq?: number | undefined;
  /** Whether the log is still being written, by another thread: then what is incomplete at its end may yet be completed. */
  readonly follow: boolean;
  /** Told of damage within the call of `next` or `seek` that meets it, before what follows it is returned. */
  readonly onDamage: (damage: Damage) => void;
  /**
   * Reads into the same memory again and again: a run's bytes then live until the reader is used next. Fresh memory for each read is
   * garbage that the collector lets grow to 64 MB. @default false
   */
  readonly reuseWindow?: boolean | undefined;
  /** Small frames are joined up to this size. @default 64 KiB */
  readonly runBytes?: number | undefined;
}

interface Frame {
  readonly header: FrameHeader;
  /** Where its payload begins in the window. */
  readonly start: number;
}

/** Opens a log for reading; where `directory` or its segments are not there yet, `next` finds them once they are. */
export function openLogReader(directory: string, options: LogReaderOptions): LogReader {
  return new LogReader(directory, options);
}

/** The reading end of a log: sequential and synchronous. Throws only what the file system throws (EIO, EACCES). */
export class LogReader {
  readonly logId: string;
  readonly #directory: string;
  readonly #follow: boolean;
  readonly #onDamage: (damage: Damage) => void;
  readonly #runBytes: number;

  #index = 0;
  #fd: number | undefined;
  #salt = 0;
  /** In the segment, of the next frame. */
  #offset = 0;
  /** Whether the segment's end, when it is met, is final. */
  #isSealed = false;

  readonly #memory: Buffer | undefined;
  /** A part of the segment; frames are handed out from it without copying. */
  #window: Buffer = Buffer.alloc(0);
  #windowOffset = 0;

  #nextSeq = 0;
  /** What the next frame's `recordsBefore` must be; undefined while that can't be known. */
  #expectedRecords: number | undefined;
  #skippedBytes = 0;
  #skippedRecords = 0;

  /** @internal */
  constructor(directory: string, options: LogReaderOptions) {
    const name = parseLogDirectory(directory);
    if (name === undefined)
      throw new TypeError(`directory must be a log's; got ${JSON.stringify(directory)}`);
    this.logId = name.logId;
    this.#directory = directory;
    this.#follow = options.follow;
    this.#onDamage = options.onDamage;
    this.#runBytes = options.runBytes ?? DEFAULT_RUN_BYTES;
    this.#memory = options.reuseWindow ? Buffer.allocUnsafeSlow(READ_BYTES) : undefined;
    this.seek(options.fromSeq ?? 0);
  }

  /** The first record that `next` will look for. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** Goes to a record, forwards or back; without it, to the first one after it that the log holds. */
  seek(seq: number): void {
    this.#closeSegment();
    this.#nextSeq = seq;
    this.#expectedRecords = undefined;
    this.#skippedBytes = this.#skippedRecords = 0;
    const segments = listSegments(this.#directory, this.logId);
    const begins =
      segments.findLast(({ header }) => header !== undefined && header.firstSeq <= seq) ?? segments[0];
    this.#index = begins === undefined ? 0 : begins.index - 1;
  }

  /** The next lines, in order; undefined where there are none, or none yet. */
  next(): LogRun | undefined {
    for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) {
      const { header } = frame;
      if (header.firstSeq + header.count > this.#nextSeq) return this.#gather(frame);
    }
    return undefined;
  }

  close(): void {
    this.#closeSegment();
  }

  /** Joins a frame with those that follow it in the window by moving their lines over the headers between. */
  #gather({ header, start }: Frame): LogRun {
    let { maxLevel } = header;
    let end = start + header.length;
    let from = start;
    for (let seq = header.firstSeq; seq < this.#nextSeq; seq++) from = this.#window.indexOf(0x0a, from) + 1;
    const firstSeq = Math.max(header.firstSeq, this.#nextSeq);
    this.#nextSeq = header.firstSeq + header.count;
    for (;;) {
      const at = this.#offset - this.#windowOffset;
      const next = decodeFrameHeader(this.#window, at, this.#salt);
      if (next?.firstSeq !== this.#nextSeq || next.recordsBefore !== this.#expectedRecords) break;
      const payload = at + FRAME_HEADER_BYTES;
      if (end - from + next.length > this.#runBytes || !this.#isIntact(next, payload)) break;
      this.#window.copyWithin(end, payload, payload + next.length);
      end += next.length;
      maxLevel = Math.max(maxLevel, next.maxLevel);
      this.#pass(next);
      this.#nextSeq = next.firstSeq + next.count;
    }
    return { firstSeq, count: this.#nextSeq - firstSeq, bytes: this.#window.subarray(from, end), maxLevel };
  }

  #nextFrame(): Frame | undefined {
    for (;;) {
      if (this.#fd === undefined && !this.#openNextSegment()) return this.#endOfLog();
      const frame = this.#frameHere();
      if (frame !== undefined) {
        this.#tellGap(frame.header);
        this.#pass(frame.header);
        return frame;
      }
      if (this.#skipToFrame()) continue;
      if (!this.#isSealed) {
        if (!this.#hasSuccessor()) return undefined;
        // Its end was read before the successor was looked for: what was appended between the two has to be read yet.
        this.#isSealed = true;
        continue;
      }
      this.#closeSegment();
    }
  }

  #pass(header: FrameHeader): void {
    this.#offset += FRAME_HEADER_BYTES + header.length;
    this.#expectedRecords = header.recordsBefore + header.count;
  }

  /** The frame at the offset, read whole, or undefined where none or no intact one begins there. */
  #frameHere(): Frame | undefined {
    const available = this.#fill(FRAME_HEADER_BYTES);
    if (available < FRAME_HEADER_BYTES) return undefined;
    const header = decodeFrameHeader(this.#window, this.#offset - this.#windowOffset, this.#salt);
    if (header === undefined) return undefined;
    if (this.#fill(FRAME_HEADER_BYTES + header.length) < FRAME_HEADER_BYTES + header.length) return undefined;
    const start = this.#offset - this.#windowOffset + FRAME_HEADER_BYTES;
    return this.#isIntact(header, start) ? { header, start } : undefined;
  }

  #isIntact(header: FrameHeader, start: number): boolean {
    const payload = this.#window.subarray(start, start + header.length);
    return payload.length === header.length && payloadCrc(payload) === header.payloadCrc;
  }

  /**
   * Moves on to the next intact frame of this segment and counts what lies between. Without one it returns false: the rest of a sealed
   * segment is counted then, of another it may yet become a frame.
   */
  #skipToFrame(): boolean {
    const size = this.#size();
    const rest = this.#readAt(this.#offset, size - this.#offset);
    let records = 0;
    let at = 0;
    while (at !== -1 && at < rest.length) {
      const header = decodeFrameHeader(rest, at, this.#salt);
      const end = header === undefined ? Infinity : at + FRAME_HEADER_BYTES + header.length;
      if (header !== undefined && end <= rest.length) {
        this.#window = rest;
        this.#windowOffset = this.#offset;
        if (this.#isIntact(header, at + FRAME_HEADER_BYTES)) break;
        records += header.count;
        at = end;
      } else {
        at = rest.indexOf(FRAME_MAGIC, at + 1);
      }
    }
    const isFound = at !== -1 && at < rest.length;
    if (isFound || this.#isSealed) {
      const skipped = isFound ? at : rest.length;
      // Of a segment that was cut within its header, the header is all there is to skip.
      this.#skippedBytes += size < SEGMENT_HEADER_BYTES ? size : skipped;
      this.#skippedRecords += records;
      this.#offset += skipped;
    }
    return isFound;
  }

  /** Tells what is missing before a frame, as far as it concerns records that are still wanted. */
  #tellGap({ firstSeq, recordsBefore }: FrameHeader): void {
    const missing =
      this.#expectedRecords === undefined ? this.#skippedRecords : recordsBefore - this.#expectedRecords;
    const bytes = this.#skippedBytes;
    this.#skippedBytes = this.#skippedRecords = 0;
    if (missing === 0 && bytes === 0) return;
    const records = Math.min(missing, Math.max(0, firstSeq - this.#nextSeq));
    if (missing > 0 && records === 0) return;
    const reason = records === 0 ? 'torn' : bytes > 0 ? 'corrupt' : 'missing';
    this.#onDamage({ reason, records, bytes, fromSeq: this.#nextSeq, toSeq: firstSeq - 1 });
  }

  #endOfLog(): undefined {
    const records = this.#skippedRecords;
    const bytes = this.#skippedBytes;
    if (this.#follow || bytes === 0) return;
    this.#skippedBytes = this.#skippedRecords = 0;
    const fromSeq = this.#nextSeq;
    this.#onDamage({
      reason: records > 0 ? 'corrupt' : 'torn',
      records,
      bytes,
      fromSeq,
      toSeq: fromSeq + records - 1,
    });
  }

  #openNextSegment(): boolean {
    const indexes = listSegmentIndexes(this.#directory);
    for (const index of indexes) {
      if (index <= this.#index) continue;
      try {
        this.#fd = openSync(segmentPath(this.#directory, index), 'r');
      } catch (error) {
        if (isErrno(error, 'ENOENT')) continue;
        throw error;
      }
      this.#index = index;
      this.#salt = segmentSalt(this.logId, index);
      this.#isSealed = !this.#follow || index !== indexes.at(-1);
      this.#offset = 0;
      this.#fill(SEGMENT_HEADER_BYTES);
      this.#expectedRecords ??= decodeSegmentHeader(this.#window, this.logId, index)?.recordsBefore;
      this.#offset = SEGMENT_HEADER_BYTES;
      return true;
    }
    return false;
  }

  #hasSuccessor(): boolean {
    return (listSegmentIndexes(this.#directory).at(-1) ?? 0) > this.#index;
  }

  /** Sees to it that the window reaches so far beyond the offset; returns how far it does, which at the segment's end is less. */
  #fill(bytes: number): number {
    const at = this.#offset - this.#windowOffset;
    if (at >= 0 && this.#window.length - at >= bytes) return this.#window.length - at;
    const available = this.#size() - this.#offset;
    this.#window = this.#readAt(this.#offset, Math.min(available, Math.max(bytes, READ_BYTES)));
    this.#windowOffset = this.#offset;
    return this.#window.length;
  }

  #readAt(position: number, bytes: number): Buffer {
    if (this.#fd === undefined || bytes <= 0) return Buffer.alloc(0);
    const isRoomy = this.#memory !== undefined && bytes <= this.#memory.length;
    const buffer = isRoomy ? this.#memory : Buffer.allocUnsafeSlow(bytes);
    let length = 0;
    while (length < bytes) {
      const read = readSync(this.#fd, buffer, length, bytes - length, position + length);
      if (read === 0) break;
      length += read;
    }
    return buffer.subarray(0, length);
  }

  #size(): number {
    return this.#fd === undefined ? 0 : fstatSync(this.#fd).size;
  }

  #closeSegment(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#window = Buffer.alloc(0);
    this.#windowOffset = 0;
  }
}

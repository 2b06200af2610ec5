import { mkdirSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { openCursors } from './cursors.ts';
import { failpoint } from './failpoint.ts';
import { removeLog } from './log-directory.ts';
import { GroupSync } from './group-sync.ts';
import {
  createLogId,
  DIRECTORY_MODE,
  isErrno,
  logDirectory,
  serviceDirectory,
  syncDirectory,
  type Durability,
} from './layout.ts';
import { Owner } from './owner.ts';
import { SegmentWriter, type WriteBytes } from './segment-writer.ts';
import { unlinkSegment } from './segment-files.ts';
import {
  encodeFrameHeader,
  FRAME_HEADER_BYTES,
  MAX_PAYLOAD_BYTES,
  payloadCrc,
  SEGMENT_HEADER_BYTES,
  UNKNOWN_LEVEL,
} from './segment.ts';

/** Holds a chunk of 64 KiB even where each UTF-16 unit of a string becomes three bytes. */
const SCRATCH_BYTES = 256 * 1024;
const DEFAULT_SEGMENT_BYTES = 8 * 1024 * 1024;
const DEFAULT_MAX_BYTES = 1024 * 1024 * 1024;

/** How an append ended; everything but `appended` means that nothing of it is in the log. */
export type AppendOutcome =
  | 'appended'
  /** `maxBytes` is reached: release what is acknowledged. */
  | 'full'
  /** The disk or the user's quota is full. */
  | 'no-space'
  /** More than a frame may hold (64 MiB). */
  | 'too-large'
  /** Its first sequence number is not above the last one's. */
  | 'out-of-order'
  /** Any other fault of the file system; see `lastError`. */
  | 'io-error'
  | 'closed';

export interface LogOptions {
  readonly stateDirectory: string;
  /** Logs are adopted by processes of the same service. */
  readonly service: string;
  /** A segment is given back as a whole. @default 8 MiB */
  readonly segmentBytes?: number | undefined;
  /** The most that all segments may take; at least two segments. @default 1 GiB */
  readonly maxBytes?: number | undefined;
  /** @default 'process' */
  readonly durability?: Durability | undefined;
  /**
   * Asked once the log comes to be on disk: by stream key, the last record that each of its streams has settled. Written down before
   * the first frame, so that whoever adopts the log knows whose it is, however early the process died.
   */
  readonly settledSeqs?: (() => ReadonlyMap<string, number>) | undefined;
  /** Stands in for `fs.writeSync` in tests of short writes and full disks. */
  readonly write?: WriteBytes | undefined;
}

/** A segment that is written to the end. */
interface SealedSegment {
  readonly path: string;
  readonly bytes: number;
  readonly lastSeq: number;
}

/** Makes a log of this process's own; nothing is on disk before the first append. */
export function createLog(options: LogOptions): LogWriter {
  return new LogWriter(options);
}

/** The writing end of a log: synchronous, for one thread. Nothing here throws but misuse of `createLog`'s options. */
export class LogWriter {
  readonly logId: string = createLogId();
  /** Where the log is or will be; readers of the same process open it by this. */
  readonly directory: string;
  readonly #options: LogOptions;
  readonly #segmentBytes: number;
  readonly #maxBytes: number;
  readonly #owner: Owner;
  readonly #sealed: SealedSegment[] = [];
  readonly #syncs = new GroupSync(() => this.#syncActive());
  #active: SegmentWriter | undefined;
  #scratch: Buffer | undefined;
  #owns = false;
  #closed = false;
  #nextIndex = 1;
  #records = 0;
  #lastSeq = -1;
  #sealedBytes = 0;
  #lastError: Error | undefined;

  /** @internal */
  constructor(options: LogOptions) {
    const { segmentBytes = DEFAULT_SEGMENT_BYTES, maxBytes = DEFAULT_MAX_BYTES } = options;
    if (!(Number.isSafeInteger(segmentBytes) && segmentBytes >= 4096)) {
      throw new RangeError(`segmentBytes must be a whole number of at least 4096; got ${segmentBytes}`);
    }
    if (!(maxBytes >= 2 * segmentBytes)) {
      throw new RangeError(`maxBytes must be at least twice segmentBytes (${segmentBytes}); got ${maxBytes}`);
    }
    const stateDirectory = resolve(options.stateDirectory);
    this.#options = { ...options, stateDirectory };
    this.#segmentBytes = segmentBytes;
    this.#maxBytes = maxBytes;
    const service = serviceDirectory(stateDirectory, options.service);
    this.#owner = new Owner(stateDirectory, service);
    this.directory = logDirectory(service, { logId: this.logId, ownerId: this.#owner.id });
  }

  /** What the segments take on disk. */
  get bytes(): number {
    return this.#sealedBytes + (this.#active?.bytes ?? 0);
  }

  /** The last record in the log; -1 before the first. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** What the file system last refused: behind `no-space`, `io-error`, a sync that failed and a segment that could not be unlinked. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /**
   * Adds a run of complete lines as one frame. When it returns `appended`, the frame is with the kernel and survives the end of the
   * process; otherwise the log is as it was. `maxLevel` is the highest level among the lines, where it is known.
   */
  append(
    firstSeq: number,
    count: number,
    lines: string | Uint8Array,
    maxLevel: number = UNKNOWN_LEVEL,
  ): AppendOutcome {
    if (this.#closed) return 'closed';
    if (firstSeq <= this.#lastSeq) return 'out-of-order';
    const length = this.#payloadBytes(lines);
    if (length > MAX_PAYLOAD_BYTES) return 'too-large';
    failpoint('append-before');
    try {
      const segment = this.#segmentFor(FRAME_HEADER_BYTES + length, firstSeq);
      if (segment === undefined) return 'full';
      const frame = this.#frame(lines, length);
      const header = {
        firstSeq,
        count,
        maxLevel: Math.min(maxLevel, UNKNOWN_LEVEL),
        length,
        recordsBefore: this.#records,
        // Of a view that is there already: durable logging comes here for every line.
        payloadCrc: payloadCrc(
          typeof lines === 'string' ? frame.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length) : lines,
        ),
      };
      encodeFrameHeader(frame, header, segment.salt);
      segment.append(frame, FRAME_HEADER_BYTES + length);
    } catch (error) {
      this.#lastError = asError(error);
      return isErrno(error, 'ENOSPC', 'EDQUOT') ? 'no-space' : 'io-error';
    }
    this.#records += count;
    this.#lastSeq = firstSeq + count - 1;
    failpoint('append-after');
    return 'appended';
  }

  /** With durability `power`, makes all that was appended survive power loss; false where the file system refused. */
  sync(): boolean {
    failpoint('sync-before');
    try {
      this.#active?.sync();
    } catch (error) {
      this.#lastError = asError(error);
      return false;
    }
    failpoint('sync-after');
    return true;
  }

  /**
   * The same without waiting for the disk: resolves to true when what was appended before the call survives power loss. One sync is
   * under way at a time, and all calls that come meanwhile share the next.
   */
  async syncInBackground(): Promise<boolean> {
    try {
      await this.#syncs.run();
      return true;
    } catch (error) {
      this.#lastError = asError(error);
      return false;
    }
  }

  async #syncActive(): Promise<void> {
    failpoint('sync-before');
    await this.#active?.syncInBackground();
    failpoint('sync-after');
  }

  /**
   * Unlinks the segments that hold nothing above `seq`, up to which every stream's cursor is written; the one being written stays.
   * Returns the bytes that were freed.
   */
  releaseUpTo(seq: number): number {
    let freed = 0;
    try {
      for (
        let oldest = this.#sealed[0];
        oldest !== undefined && oldest.lastSeq <= seq;
        oldest = this.#sealed[0]
      ) {
        unlinkSegment(oldest.path);
        this.#sealed.shift();
        freed += oldest.bytes;
      }
      if (freed > 0 && this.#options.durability === 'power') syncDirectory(this.directory);
    } catch (error) {
      this.#lastError = asError(error);
    }
    this.#sealedBytes -= freed;
    return freed;
  }

  /**
   * Unlinks the oldest segment whatever is in it, but not the one being written: to go on where `maxBytes` or the disk leaves no room.
   * Returns its last record; undefined where there is none, or it could not be unlinked.
   */
  dropOldestSegment(): number | undefined {
    const oldest = this.#sealed[0];
    if (oldest === undefined || this.releaseUpTo(oldest.lastSeq) === 0) return undefined;
    return oldest.lastSeq;
  }

  /** Lets the log go as it is: what is in it is left to whoever adopts it. */
  close(): void {
    this.#end();
    this.#disown();
  }

  /** Closes the log and takes it off the disk: for one that is wholly delivered. */
  remove(): void {
    this.#end();
    this.clear();
    this.#disown();
  }

  /** Takes the log, which is wholly delivered, off the disk; the next append brings it back under the same id. */
  clear(): void {
    this.#seal();
    if (!this.#owns) return;
    try {
      // Where that fails the directory stays ours, with all that comes.
      removeLog(this.directory, this.#options.durability ?? 'process');
      this.#sealed.length = 0;
      this.#sealedBytes = 0;
      this.#disown();
    } catch (error) {
      this.#lastError = asError(error);
    }
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#scratch = undefined;
    if (this.#options.durability === 'power') this.sync();
    this.#seal();
  }

  #payloadBytes(lines: string | Uint8Array): number {
    if (typeof lines !== 'string') return lines.length;
    this.#scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES);
    // Encoding tells the length anyway; measuring first would read the string twice.
    if (lines.length * 3 <= SCRATCH_BYTES - FRAME_HEADER_BYTES)
      return this.#scratch.write(lines, FRAME_HEADER_BYTES);
    return Buffer.byteLength(lines);
  }

  /** The lines with room for the header before them: in the scratch buffer, where `#payloadBytes` may have put them already. */
  #frame(lines: string | Uint8Array, length: number): Buffer {
    this.#scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES);
    const fits = FRAME_HEADER_BYTES + length <= SCRATCH_BYTES;
    const frame = fits ? this.#scratch : Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
    if (typeof lines !== 'string') frame.set(lines, FRAME_HEADER_BYTES);
    else if (lines.length * 3 > SCRATCH_BYTES - FRAME_HEADER_BYTES) frame.write(lines, FRAME_HEADER_BYTES);
    return frame;
  }

  /** The segment that takes the frame, a new one where need be; undefined where the log may not grow by so much. */
  #segmentFor(frameBytes: number, firstSeq: number): SegmentWriter | undefined {
    const active = this.#active;
    const isEmpty = active?.bytes === SEGMENT_HEADER_BYTES;
    const stays = active?.writable === true && (isEmpty || active.bytes + frameBytes <= this.#segmentBytes);
    const added = frameBytes + (stays ? 0 : SEGMENT_HEADER_BYTES);
    if (this.bytes + added > this.#maxBytes) return undefined;
    return stays ? active : this.#roll(firstSeq);
  }

  #roll(firstSeq: number): SegmentWriter {
    failpoint('roll-before');
    const isPowerSafe = this.#options.durability === 'power';
    if (isPowerSafe) this.#active?.sync();
    this.#seal();
    this.#own();
    try {
      this.#active = this.#createSegment(firstSeq);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      // Someone deleted the directory under the running process: what was in it is lost, what comes now need not be.
      this.#disown();
      this.#own();
      this.#active = this.#createSegment(firstSeq);
    }
    if (isPowerSafe) syncDirectory(this.directory);
    return this.#active;
  }

  #createSegment(firstSeq: number): SegmentWriter {
    // Each try takes a number of its own: a file that could be neither filled nor removed may stand in the way of the last.
    const header = {
      index: this.#nextIndex++,
      firstSeq,
      recordsBefore: this.#records,
      createdAtMs: Date.now(),
    };
    return new SegmentWriter(this.directory, this.logId, header, this.#options.write);
  }

  #seal(): void {
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    this.#sealed.push({ path: active.path, bytes: active.bytes, lastSeq: this.#lastSeq });
    this.#sealedBytes += active.bytes;
    try {
      active.close();
    } catch (error) {
      this.#lastError = asError(error);
    }
  }

  #own(): void {
    if (this.#owns) return;
    this.#owner.hold();
    try {
      this.#createDirectory();
    } catch (error) {
      this.#owner.release();
      throw error;
    }
    this.#owns = true;
  }

  /** Makes all of it, or leaves nothing behind for the next try to stumble over. */
  #createDirectory(): void {
    mkdirSync(this.directory, { mode: DIRECTORY_MODE });
    failpoint('log-directory-created');
    try {
      this.#writeFirstCursors();
      if (this.#options.durability === 'power') this.#syncParents();
    } catch (error) {
      rmSync(this.directory, { recursive: true, force: true });
      throw error;
    }
  }

  #writeFirstCursors(): void {
    const { settledSeqs, durability } = this.#options;
    if (settledSeqs === undefined) return;
    const cursors = openCursors(this.directory, durability && { durability });
    for (const [key, seq] of settledSeqs()) cursors.set(key, { seq, counters: {} });
    const outcome = cursors.write();
    cursors.close();
    if (outcome !== 'written')
      throw cursors.lastError ?? new Error(`the cursors can't be written (${outcome})`);
  }

  #disown(): void {
    if (this.#owns) this.#owner.release();
    this.#owns = false;
  }

  /** Any of them may be as new as the log. */
  #syncParents(): void {
    syncDirectory(dirname(this.directory));
    syncDirectory(this.#options.stateDirectory);
    syncDirectory(dirname(this.#options.stateDirectory));
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

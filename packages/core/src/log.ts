import type { PipelineConfig } from './config/config.ts';
import type { ControlBlock, DropReason } from './control-block.ts';
import type { OverrunReason, ToPipeline } from './protocol.ts';
import { Ring } from './ring.ts';
import { Spill } from './spill.ts';
import { shortened } from './shortened.ts';
import { lastSeqOf, Window } from './window.ts';

/** Where a chunk closes: one message then costs 0.02 µs a line, where one for each line costs 2.1. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Ticks that follow each other closely share a chunk: of 30 lines a tick, sending each by itself was a tenth of what a log call costs the
 * main thread.
 */
const GATHER_MS = 1;

/** The longest line; what is longer arrives cut and marked. */
const MAX_LINE_CHARS = 8 * 1024 * 1024;

/** What may lie in the worker's port: an unbounded backlog was measured to grow by hundreds of megabytes. */
const CREDIT_BYTES = 4 * 1024 * 1024;

/** The most bytes that a UTF-16 unit takes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;

export interface LogOptions {
  readonly config: PipelineConfig;
  readonly control: ControlBlock;
  /** By stream key, the last record that each stream has settled. */
  settledSeqs(): ReadonlyMap<string, number>;
  /** Sends a message to the pipeline; false while there is none. */
  post(message: ToPipeline): boolean;
  /** Called when a line is not on disk although durability asks for it; again only after others were. */
  undurable(reason: string): void;
  /** Called once, at the latest when the first chunk is there, before it is posted. */
  begin(): void;
}

/**
 * The main thread's end of the log: numbers lines and gathers them into chunks, keeps them in memory until every stream has settled
 * them, and moves the oldest into the segments when the window is full. A log call ends here: it never waits and never throws.
 */
export class Log {
  readonly #options: LogOptions;
  readonly #control: ControlBlock;
  readonly #isDurable: boolean;
  readonly #window = new Window();
  readonly #ring: Ring;
  readonly #spill: Spill;
  #hasBegun = false;
  /** Up to here the ring's memory may be written to without telling. */
  #reservedTo = 0;
  #chunkStart = 0;
  #chunkCount = 0;
  #nextSeq = 1;
  #isScheduled = false;
  #isUndurable = false;
  #gatheredAtMs = -Infinity;
  #gatherTimer: NodeJS.Timeout | undefined;
  #postedBytes = 0;
  #postedSeq = 0;
  #cutLines = 0;
  #refusal: DropReason = 'disk-fault';
  /** Set in `exit`, when no later tick will come: each line is a chunk. */
  isImmediate = false;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#control = options.control;
    this.#isDurable = options.config.durability !== 'none';
    this.#ring = new Ring(options.config.windowBytes);
    this.#spill = new Spill(options.config, () => options.settledSeqs());
  }

  get id(): string {
    return this.#spill.logId;
  }

  /** Where the segments are, once there are any. */
  get directory(): string {
    return this.#spill.directory;
  }

  get memory(): SharedArrayBuffer {
    return this.#ring.memory;
  }

  /** The number of the last line that was written. */
  get lastSeq(): number {
    return this.#nextSeq + this.#chunkCount - 1;
  }

  /** The last record that the worker can get: posted or spilled, and not given up. */
  get reachableSeq(): number {
    return Math.max(this.#postedSeq, this.#control.read('spilledSeq'));
  }

  get isSettled(): boolean {
    return this.#control.read('settledSeq') >= this.lastSeq;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** What the file system last refused. */
  get lastError(): string | undefined {
    return this.#spill.lastError;
  }

  /** Lines that were longer than a line may be. */
  get cutLines(): number {
    return this.#cutLines;
  }

  /** What the window holds. */
  get usedBytes(): number {
    return this.#ring.usedBytes;
  }

  /** The first chunk begins the pipeline, unless this did. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#options.begin();
  }

  /** Takes complete lines, each with its line feed. */
  write(text: string, count: number): void {
    if (text.length > MAX_LINE_CHARS && count === 1) {
      this.#cutLines++;
      this.write(shortened(text, MAX_LINE_CHARS), count);
      return;
    }
    const mostBytes = text.length * MAX_BYTES_PER_UNIT;
    if (mostBytes > this.#ring.contiguousBytes && !this.#makeRoom(text, count)) return;
    const start = this.#ring.end;
    if (start + mostBytes > this.#reservedTo) this.#reserve(start + mostBytes + CHUNK_BYTES);
    const length = this.#ring.write(text);
    if (this.#chunkCount === 0) this.#chunkStart = start;
    this.#chunkCount += count;
    if (this.#isDurable) this.#writeThrough(start, length, count);
    if (this.#ring.end - this.#chunkStart >= CHUNK_BYTES || this.isImmediate) this.closeChunk();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(this.#closeLater);
    }
  }

  /** Ends the chunk that is being gathered and sends it on its way. */
  closeChunk(): void {
    if (this.#chunkCount === 0) return;
    const length = this.#ring.end - this.#chunkStart;
    this.#window.push({ firstSeq: this.#nextSeq, count: this.#chunkCount, start: this.#chunkStart, length });
    this.#nextSeq += this.#chunkCount;
    this.#chunkCount = 0;
    this.begin();
    this.advance();
  }

  /** Lets go of what is settled and posts what there is credit for. */
  advance(): void {
    this.#window.release(this.#control.read('settledSeq'));
    this.#postWithinCredit();
    // Written through: the segments have it, whether or not it was posted.
    if (this.#isDurable) this.#letGoOfSpilled();
    this.#free();
    if (this.#spill.bytes > 0) this.#spill.release(this.#control.read('savedSeq'));
  }

  /** Posts everything, whatever the credit: somebody waits for it. */
  postAll(): void {
    while (this.#postNext());
  }

  /** Begins again with a new worker, which has taken nothing yet. */
  repost(): void {
    this.#postedBytes = 0;
    this.#window.repost();
    this.advance();
  }

  /** Moves what is left in the window into the segments. */
  spillAll(): void {
    this.#window.release(this.#control.read('settledSeq'));
    while (this.#spillOldest());
    this.#spill.sync();
  }

  /** What `spillAll` could not put anywhere: nothing gives it to the next start. */
  get unkeptFromSeq(): number | undefined {
    const { oldest } = this.#window;
    return oldest && Math.max(oldest.firstSeq, this.#control.read('spilledSeq') + 1);
  }

  /** Why the segments could not keep lines, the last time that it was so. */
  get refusal(): DropReason {
    return this.#refusal;
  }

  /** Writes how far each stream has come, where no worker does it. */
  saveCursors(): void {
    this.#spill.saveCursors();
  }

  /** Takes the segments off the disk, everything being settled. Later lines are the same log's: the worker knows no other. */
  clear(): void {
    this.#spill.clear();
  }

  /** Leaves the segments to the next start, or takes them off the disk where everything is settled; no line comes any more. */
  close(): void {
    this.closeChunk();
    const { isSettled } = this;
    if (!isSettled) {
      this.spillAll();
      this.#spill.saveCursors();
    }
    this.#spill.end(isSettled);
    // The window's memory, where the worker has no use for it any more.
    if (isSettled) this.#ring.giveBack();
  }

  /** At the end of a tick: at once where the last chunk is a while ago, else with those of the ticks to come. */
  readonly #closeLater = (): void => {
    const nowMs = performance.now();
    if (nowMs - this.#gatheredAtMs >= GATHER_MS) {
      this.#isScheduled = false;
      this.#gatheredAtMs = nowMs;
      this.closeChunk();
      return;
    }
    // It keeps no program alive: what is left when the loop ends, the end drains.
    this.#gatherTimer ??= setTimeout(this.#closeLater, GATHER_MS).unref();
    this.#gatherTimer.refresh();
  };

  /** Told before the memory is used again: the worker looks here after it has copied a chunk. */
  #reserve(position: number): void {
    // Never over what is still kept, however much the text might take.
    this.#reservedTo = Math.min(position, this.#ring.limit);
    this.#control.write('reservedTo', this.#reservedTo);
  }

  /** Makes the ring take the text without a gap; false where it went another way. */
  #makeRoom(text: string, count: number): boolean {
    const length = Buffer.byteLength(text);
    if (length <= this.#ring.contiguousBytes) return true;
    this.closeChunk();
    while (!this.#ring.wrapFor(length)) {
      if (!this.#window.oldest) {
        this.#writePast(text, count);
        return false;
      }
      if (!this.#spillOldest()) this.#giveUpOldest();
    }
    return true;
  }

  /** What is larger than the window goes into the segments at once; everything before it is there already. */
  #writePast(text: string, count: number): void {
    const firstSeq = this.#nextSeq;
    this.#nextSeq += count;
    const isWritten = this.#append(firstSeq, count, text);
    this.begin();
    if (isWritten) this.#spilled(firstSeq + count - 1, true);
  }

  /** With durability, lines are in the segments before the call returns. */
  #writeThrough(start: number, length: number, count: number): void {
    if (this.#isUndurable) {
      this.#catchUp();
      return;
    }
    const lastSeq = this.lastSeq;
    const isWritten = this.#append(lastSeq - count + 1, count, this.#ring.view(start, length));
    if (isWritten) this.#control.write('spilledSeq', lastSeq);
    if (isWritten) return;
    this.#isUndurable = true;
    this.#options.undurable(this.#spill.lastError ?? 'the log takes no more');
  }

  /** After a time in which the disk took nothing, what the window holds goes there first: behind a gap nobody would look for it. */
  #catchUp(): void {
    this.closeChunk();
    this.#window.release(this.#control.read('settledSeq'));
    while (this.#spillOldest());
    this.#isUndurable = this.#window.oldest !== undefined;
  }

  #letGoOfSpilled(): void {
    const spilledSeq = this.#control.read('spilledSeq');
    for (let chunk = this.#window.oldest; chunk; chunk = this.#window.oldest) {
      if (lastSeqOf(chunk) > spilledSeq) return;
      this.#shift();
    }
  }

  /** Moves the oldest chunk into the segments; false where there is none, or they can't take it. */
  #spillOldest(): boolean {
    const chunk = this.#window.oldest;
    if (!chunk) return false;
    const bytes = this.#ring.view(chunk.start, chunk.length);
    // With durability a part of it is there already, where the disk was full for some time.
    const from = Math.max(0, this.#control.read('spilledSeq') + 1 - chunk.firstSeq);
    if (from < chunk.count) {
      const rest = bytes.subarray(offsetOfLine(bytes, from));
      if (!this.#append(chunk.firstSeq + from, chunk.count - from, rest)) return false;
      this.#control.write('spilledSeq', lastSeqOf(chunk));
    }
    this.#shift();
    return true;
  }

  /** Adds lines to the segments and, where these may not grow, gives up the oldest for it; false where they can't take it at all. */
  #append(firstSeq: number, count: number, lines: string | Uint8Array): boolean {
    for (;;) {
      const outcome = this.#spill.append(firstSeq, count, lines);
      if (outcome === 'appended') return true;
      this.#refusal = outcome === 'fault' ? 'disk-fault' : outcome;
      if (outcome === 'fault' || !this.#makeRoomOnDisk(outcome)) return false;
    }
  }

  /** Settled segments first; a stream that lags is not to cost the others what is new. */
  #makeRoomOnDisk(reason: OverrunReason): boolean {
    if (this.#spill.release(this.#control.read('settledSeq')) > 0) return true;
    const overrunSeq = this.#spill.dropOldest();
    if (overrunSeq === undefined) return false;
    this.#control.write('overrunSeq', overrunSeq);
    this.#options.post({ type: 'overrun', reason });
    return true;
  }

  /** Neither disk nor memory may grow: the worker counts for every stream what it never gets. */
  #giveUpOldest(): void {
    this.#window.shift();
    this.#free();
  }

  #shift(): void {
    const chunk = this.#window.oldest;
    const needsReading = this.#window.isOldestUnposted;
    this.#window.shift();
    this.#free();
    if (chunk) this.#spilled(lastSeqOf(chunk), needsReading);
  }

  #spilled(seq: number, needsReading: boolean): void {
    if (seq > this.#control.read('spilledSeq')) this.#control.write('spilledSeq', seq);
    if (needsReading && this.#control.takeFlag('idle')) this.#options.post({ type: 'wake' });
  }

  #free(): void {
    this.#ring.freeTo(
      this.#window.oldest?.start ?? (this.#chunkCount > 0 ? this.#chunkStart : this.#ring.end),
    );
    const isTaken = this.#postedBytes === this.#control.read('fannedBytes');
    if (isTaken && this.#chunkCount === 0) this.#ring.rewind();
  }

  #postWithinCredit(): void {
    while (this.#hasCredit) if (!this.#postNext()) return;
    // A message for every chunk would pile up during a burst: the worker sends one when it is asked to.
    this.#control.write('wantsCredit', 1);
    // What it took just before it was asked it will not tell.
    while (this.#hasCredit) if (!this.#postNext()) return;
  }

  get #hasCredit(): boolean {
    return this.#postedBytes - this.#control.read('fannedBytes') < CREDIT_BYTES;
  }

  #postNext(): boolean {
    const chunk = this.#window.takeUnposted();
    if (!chunk) return false;
    if (!this.#options.post({ type: 'chunk', ...chunk })) {
      this.#window.repost();
      return false;
    }
    this.#postedBytes += chunk.length;
    this.#postedSeq = lastSeqOf(chunk);
    return true;
  }
}

/** Where a line begins among complete ones. */
function offsetOfLine(bytes: Buffer, line: number): number {
  let offset = 0;
  for (let passed = 0; passed < line; passed++) offset = bytes.indexOf(0x0a, offset) + 1;
  return offset;
}

import {
  messageOf,
  TreelineError,
  type Batch,
  type Sink,
  type SinkContext,
  type WriteResult,
} from '@treeline/contract';
import { createCalendar, type Calendar } from './calendar.ts';
import { LogFile, PartialWrite, type Modes } from './log-file.ts';
import { createNameGrammar, type NameGrammar } from './name-grammar.ts';
import type { ParsedFileOptions } from './options.ts';
import { rotate } from './rotation.ts';

/** The clock that boundaries follow, in unix milliseconds. */
export type Clock = () => number;

/** How long to go on with a file that could not be rotated before that is tried again. */
const ROTATION_RETRY_MS = 10_000;

/** A rotating log file. */
export class FileSink implements Sink {
  readonly #path: string;
  readonly #modes: Modes;
  readonly #maxBytes: number;
  readonly #indexed: boolean;
  readonly #calendar: Calendar;
  readonly #names: NameGrammar;
  readonly #context: SinkContext;
  readonly #clock: Clock;
  #file: LogFile | undefined;
  #bytes = 0;
  #periodStart = 0;
  #periodEnd = Infinity;
  #rotateAfter = -Infinity;
  /** What a failed write has left of a line at the end of the file, until it is taken off. */
  #fragment: Uint8Array | undefined;
  #closed = false;

  constructor(logPath: string, options: ParsedFileOptions, context: SinkContext, clock: Clock) {
    this.#path = logPath;
    this.#modes = options;
    this.#maxBytes = options.rotation?.size ?? Infinity;
    this.#indexed = options.rotation?.size !== undefined;
    this.#calendar = createCalendar({ intervalMs: options.rotation?.interval });
    this.#names = createNameGrammar(logPath);
    this.#context = context;
    this.#clock = clock;
  }

  /** Opens the file where it is not open; one that an earlier period has left is rotated by the next write. */
  async open(): Promise<LogFile> {
    if (this.#file) return this.#file;
    const file = await LogFile.open(this.#path, this.#modes);
    try {
      if (await file.endsInsideLine()) await file.append(Buffer.from('\n'));
      const { bytes, modifiedMs } = await file.stat();
      this.#begin(bytes, bytes > 0 ? modifiedMs : this.#clock());
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#file = file;
    return file;
  }

  async write(batch: Batch): Promise<WriteResult | void> {
    if (this.#closed)
      throw new TreelineError('CLOSED', `${this.#path} was closed: open a new stream to write to it`);
    const progress = { arrived: 0 };
    try {
      while (progress.arrived < batch.count) await this.#writeSome(batch, progress);
    } catch (error) {
      if (progress.arrived === 0) throw error;
      this.#warn(`writing ${this.#path} stopped in the middle of a batch: ${messageOf(error)}`);
      return {
        retry: Array.from({ length: batch.count - progress.arrived }, (_, index) => progress.arrived + index),
      };
    }
  }

  async flush(): Promise<void> {
    // What write has resolved for is in the kernel; nothing is held back here.
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#release();
  }

  /** Writes the lines that fit into the current file; `progress` is right also when this throws. */
  async #writeSome(batch: Batch, progress: { arrived: number }): Promise<void> {
    const from = progress.arrived;
    const start = startOf(batch, from);
    let file = await this.open();
    await this.#takeOffFragment(file);
    if (this.#isDue(startOf(batch, from + 1) - start)) file = await this.#rotate(file);
    const to = this.#fitting(batch, from);
    try {
      await file.append(batch.bytes.subarray(start, startOf(batch, to)));
    } catch (error) {
      const written = error instanceof PartialWrite ? error.written : 0;
      progress.arrived = batch.ends.findLastIndex((end) => end <= start + written) + 1;
      this.#fragment = batch.bytes.subarray(startOf(batch, progress.arrived), start + written);
      await this.#takeOffFragment(file).catch(() => undefined);
      throw error;
    }
    const place = await file.place();
    if (place.at === 'path') this.#bytes = place.bytes;
    else await this.#leave(place.at);
    // What went into a file that had been deleted is nowhere: it is written again.
    if (place.at !== 'deleted') progress.arrived = to;
  }

  #isDue(nextLineBytes: number): boolean {
    const now = this.#clock();
    if (this.#bytes === 0) {
      if (now >= this.#periodEnd) this.#begin(0, now);
      return false;
    }
    const isFull = this.#bytes + nextLineBytes > this.#maxBytes;
    return (isFull || now >= this.#periodEnd) && now >= this.#rotateAfter;
  }

  /** The lines from `from` up to the one that would pass the limit; at least one. */
  #fitting(batch: Batch, from: number): number {
    const room = this.#maxBytes - this.#bytes + startOf(batch, from);
    if (batch.bytes.length <= room || this.#clock() < this.#rotateAfter) return batch.count;
    let to = from + 1;
    while (to < batch.count && (batch.ends[to] ?? 0) <= room) to++;
    return to;
  }

  async #rotate(file: LogFile): Promise<LogFile> {
    try {
      await rotate(file, this.#names, this.#calendar.label(this.#periodStart), this.#indexed);
      this.#rotateAfter = -Infinity;
    } catch (error) {
      this.#rotateAfter = this.#clock() + ROTATION_RETRY_MS;
      this.#warn(
        `${this.#path} grows past its limit, it can't be rotated (tried again in 10 s): ${messageOf(error)}`,
      );
      if ((await file.place()).at === 'path') return file;
    }
    await this.#release();
    return this.open();
  }

  async #takeOffFragment(file: LogFile): Promise<void> {
    const fragment = this.#fragment;
    if (fragment === undefined) return;
    if (fragment.length > 0 && !(await file.cutOff(fragment))) await file.append(Buffer.from('\n'));
    this.#fragment = undefined;
  }

  async #leave(how: 'moved' | 'deleted'): Promise<void> {
    await this.#release();
    this.#warn(`${this.#path} was ${how} by somebody else; going on with a new file`);
  }

  async #release(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#fragment = undefined;
    await file?.close();
  }

  #begin(bytes: number, atMs: number): void {
    this.#bytes = bytes;
    this.#periodStart = this.#calendar.startOf(atMs);
    this.#periodEnd = this.#calendar.next(atMs);
  }

  #warn(reason: string): void {
    this.#context.report({ type: 'warning', reason });
  }
}

function startOf(batch: Batch, index: number): number {
  return index === 0 ? 0 : (batch.ends[index - 1] ?? batch.bytes.length);
}

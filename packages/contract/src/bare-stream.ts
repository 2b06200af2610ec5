import { Writable } from 'node:stream';
import { BatchQueue, type BatchHints } from './batch-queue.ts';
import { createBatch, type Batch } from './batch.ts';
import { deliver, raceAbort, type RetryPolicy } from './delivery.ts';
import { messageOf, TreelineError } from './errors.ts';
import { LineSplitter, MAX_LINE_BYTES } from './line-splitter.ts';
import { DEFAULT_BATCH_HINTS, type Sink, type SinkEvent } from './sink.ts';
import { formatBytes } from './units.ts';

/** pino waits 10 s for a transport to close; what is undelivered by then is counted, not lost in silence. */
const CLOSE_DEADLINE_MS = 8_000;

/** How long a sink may take to give its destination back once the deadline has passed. */
const CLOSE_GRACE_MS = 1_000;

/**
 * Lines that may wait here before back-pressure begins; core's window is as large. It is not smaller, because pino's thread-stream makes
 * up for no lag: in `exit` the main thread waits until its ring of 4 MiB is read and throws after 10 s, and a burst that is not read to
 * its end before the thread is ready keeps the process from ending at all. What is taken in is counted at least.
 */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** Above one ring, so that a chunk that is taken in at once needs no `drain`, whose nextTick would starve the sink's own I/O. */
const HIGH_WATER_MARK = 5 * 1024 * 1024;

/** Lines that come one by one, as they do in the program's own thread, are scanned together, once a turn of the loop or for so many bytes. */
const GATHER_BYTES = 64 * 1024;

const NOTHING = Buffer.alloc(0);

type Callback = (error?: Error | null) => void;

export interface BareStreamOptions {
  readonly batch?: Partial<BatchHints> | undefined;
  readonly retry?: RetryPolicy | undefined;
  readonly report: (event: SinkEvent) => void;
  /** False where the caller of `flush` would end the process over its error; it is reported all the same. */
  readonly reportsFlushErrors?: boolean;
  readonly closeDeadlineMs?: number;
}

/** A sink as pino wants it: a Writable over a byte stream, for a transport that runs without core. */
export class BareStream extends Writable {
  readonly #sink: Sink;
  readonly #hints: BatchHints;
  readonly #retry: RetryPolicy | undefined;
  readonly #report: (event: SinkEvent) => void;
  readonly #closeDeadlineMs: number;
  readonly #reportsFlushErrors: boolean;
  readonly #maxWaitingBytes: number;
  readonly #splitter = new LineSplitter();
  readonly #queue: BatchQueue;
  /** Deliveries end. */
  readonly #deadline = new AbortController();
  /** The sink's close is waited for no longer. */
  readonly #closeDeadline = new AbortController();
  #deadlineTimers: NodeJS.Timeout[] = [];
  #flushes: { readonly upTo: number; readonly done: Callback }[] = [];
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #gathering: NodeJS.Immediate | undefined;
  #accepted = 0;
  #settled = 0;
  #undelivered = 0;
  #running = false;
  #resume: Callback | undefined;
  #wake: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(sink: Sink, options: BareStreamOptions) {
    super({ decodeStrings: true, highWaterMark: HIGH_WATER_MARK });
    this.#sink = sink;
    this.#hints = { ...DEFAULT_BATCH_HINTS, ...options.batch };
    this.#maxWaitingBytes = Math.max(MAX_WAITING_BYTES, this.#hints.maxBytes);
    this.#queue = new BatchQueue(this.#hints);
    this.#retry = options.retry;
    this.#report = options.report;
    this.#reportsFlushErrors = options.reportsFlushErrors ?? true;
    this.#closeDeadlineMs = options.closeDeadlineMs ?? CLOSE_DEADLINE_MS;
  }

  /**
   * pino's flush: calls back when all that was written before has been delivered, as durably as the sink promises, or has been reported
   * as refused or given up. The error is a sink's whose flush failed, or TIMEOUT where the stream closed first.
   */
  flush(callback?: Callback): void {
    const done: Callback = (error) => callback?.(this.#reportsFlushErrors ? error : undefined);
    if (this.writableEnded || this.destroyed) {
      if (this.closed) process.nextTick(done);
      else this.once('close', () => done());
      return;
    }
    // An empty write comes behind what the Writable itself still holds back.
    this.write(NOTHING, () => {
      this.#enqueue();
      this.#flushes.push({ upTo: this.#accepted, done });
      this.#start();
    });
  }

  override end(callback?: () => void): this;
  override end(chunk: unknown, callback?: () => void): this;
  override end(chunk: unknown, encoding: BufferEncoding, callback?: () => void): this;
  override end(...args: unknown[]): this {
    // Not in _final, which waits for writes that back-pressure holds.
    this.#startDeadline(this.#closeDeadlineMs);
    return super.end(...(args as []));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#gather(this.#splitter.push(chunk));
    if (this.#queue.bytes < this.#maxWaitingBytes) callback();
    else this.#resume = callback;
  }

  override _final(callback: Callback): void {
    this.#gather(this.#splitter.end());
    this.#enqueue();
    this.#flushes.push({ upTo: this.#accepted, done: () => void this.#close().then(() => callback()) });
    this.#start();
  }

  override _destroy(error: Error | null, callback: Callback): void {
    if (!this.#closed) {
      this.#enqueue();
      this.#deadline.abort();
      this.#startDeadline(0);
    }
    void this.#close().then(() => callback(error));
  }

  #gather(lines: Buffer | undefined): void {
    if (!lines) return;
    this.#gathered.push(lines);
    this.#gatheredBytes += lines.length;
    if (this.#gatheredBytes >= GATHER_BYTES) this.#enqueue();
    else this.#gathering ??= setImmediate(() => this.#enqueue());
  }

  #enqueue(): void {
    clearImmediate(this.#gathering);
    this.#gathering = undefined;
    const [first] = this.#gathered;
    if (!first) return;
    const batch = createBatch(
      this.#gathered.length === 1 ? first : Buffer.concat(this.#gathered, this.#gatheredBytes),
    );
    this.#gathered = [];
    this.#gatheredBytes = 0;
    const nowMs = performance.now();
    this.#queue.push(batch, nowMs);
    this.#accepted += batch.count;
    if (!this.#running) this.#start();
    else if (this.#queue.dueInMs(nowMs) === 0) this.#wake?.();
  }

  #start(): void {
    this.#wake?.();
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  /** The one loop that calls the sink: its write and flush never overlap. */
  async #run(): Promise<void> {
    for (;;) {
      const due = this.#flushes.filter(({ upTo }) => upTo <= this.#settled);
      if (due.length > 0) {
        this.#flushes = this.#flushes.filter(({ upTo }) => upTo > this.#settled);
        const error = await this.#flushSink();
        for (const { done } of due) done(error);
      } else if (this.#queue.count > 0) {
        await this.#untilDue();
        const batch = this.#queue.take();
        if (batch) await this.#deliver(batch);
        this.#resumeWriting();
      } else {
        // In the same tick as the check: what is accepted from here on starts a new run.
        this.#running = false;
        return;
      }
    }
  }

  #resumeWriting(): void {
    const resume = this.#resume;
    if (!resume || this.#queue.bytes >= this.#maxWaitingBytes) return;
    this.#resume = undefined;
    resume();
  }

  async #untilDue(): Promise<void> {
    const dueInMs = (): number =>
      this.#flushes.length > 0 || this.writableEnded ? 0 : this.#queue.dueInMs(performance.now());
    for (let ms = dueInMs(); ms > 0; ms = dueInMs()) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }

  async #deliver(batch: Batch): Promise<void> {
    const delivery = await deliver(this.#sink, batch, {
      signal: this.#deadline.signal,
      retry: this.#retry,
      onFault: (reason) => this.#report({ type: 'down', reason }),
      onRecovered: () => this.#report({ type: 'recovered', reason: 'delivering again' }),
    });
    this.#settled += batch.count;
    this.#undelivered += delivery.pending?.count ?? 0;
    const [first] = delivery.dead;
    if (first) this.#report({ type: 'dropped', reason: first.reason, count: delivery.dead.length });
  }

  async #flushSink(): Promise<Error | undefined> {
    const flushed = Promise.resolve()
      .then(() => this.#sink.flush())
      .then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error : new Error(messageOf(error))),
      );
    const outcome = await raceAbort(flushed, this.#deadline.signal);
    if (outcome === 'aborted')
      return new TreelineError('TIMEOUT', 'the stream was closed before its sink had flushed');
    if (outcome) this.#report({ type: 'down', reason: `flush failed: ${outcome.message}` });
    return outcome;
  }

  #close(): Promise<void> {
    return (this.#closed ??= this.#closeSink());
  }

  /** Never rejects: an error event would end the process that logs. */
  async #closeSink(): Promise<void> {
    this.#reportLosses();
    try {
      const closed = Promise.resolve().then(() => this.#sink.close());
      const outcome = await raceAbort(closed, this.#closeDeadline.signal);
      if (outcome === 'aborted')
        this.#report({ type: 'warning', reason: 'the destination did not close in time' });
    } catch (error) {
      this.#report({ type: 'down', reason: `close failed: ${messageOf(error)}` });
    }
    for (const timer of this.#deadlineTimers) clearTimeout(timer);
  }

  #startDeadline(ms: number): void {
    this.#deadlineTimers.push(
      setTimeout(() => this.#deadline.abort(), ms),
      setTimeout(() => this.#closeDeadline.abort(), ms + CLOSE_GRACE_MS),
    );
    this.#wake?.();
  }

  #reportLosses(): void {
    const { truncatedLines } = this.#splitter;
    if (truncatedLines > 0)
      this.#report({
        type: 'warning',
        reason: `lines over ${formatBytes(MAX_LINE_BYTES)} were cut`,
        count: truncatedLines,
      });
    const count = this.#accepted - this.#settled + this.#undelivered;
    if (count > 0)
      this.#report({
        type: 'dropped',
        reason: 'not delivered before the stream closed',
        count,
      });
  }
}

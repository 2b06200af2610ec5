import { Writable } from 'node:stream';
import { BatchQueue } from './batch-queue.ts';
import { createBatch, type Batch } from './batch.ts';
import { deliver, raceAbort, type Delivery } from './delivery.ts';
import { LineSplitter } from './line-splitter.ts';
import { DEFAULT_BATCH_HINTS, type Sink, type SinkEvent } from './sink.ts';
import type { BatchHints } from './batch-queue.ts';

/** pino waits 10 s for a transport to close; what is undelivered by then is counted, not lost in silence. */
const CLOSE_DEADLINE_MS = 8_000;

type Callback = (error?: Error | null) => void;

/** A sink as pino wants it: a Writable over a byte stream, for a transport that runs without core. */
export class BareStream extends Writable {
  readonly #sink: Sink;
  readonly #hints: BatchHints;
  readonly #report: (event: SinkEvent) => void;
  readonly #splitter = new LineSplitter();
  readonly #queue: BatchQueue;
  readonly #deadline = new AbortController();
  #resume: Callback | undefined;
  #wake: (() => void) | undefined;
  #flushing = 0;
  #running: Promise<void> | undefined;

  constructor(sink: Sink, hints: Partial<BatchHints> | undefined, report: (event: SinkEvent) => void) {
    super({ decodeStrings: true });
    this.#sink = sink;
    this.#hints = { ...DEFAULT_BATCH_HINTS, ...hints };
    this.#queue = new BatchQueue(this.#hints);
    this.#report = report;
  }

  /** pino's flush: calls back when all that was written has been delivered, as durably as the sink promises. */
  flush(callback: Callback): void {
    this.#flush().then(
      () => callback(),
      (error: Error) => callback(error),
    );
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#push(this.#splitter.push(chunk));
    if (this.#queue.bytes < this.#hints.maxBytes) callback();
    else this.#resume = callback;
  }

  override _final(callback: Callback): void {
    this.#push(this.#splitter.end());
    this.#close().then(() => callback(), callback);
  }

  async #flush(): Promise<void> {
    await this.#drain();
    await this.#sink.flush();
  }

  async #drain(): Promise<void> {
    this.#flushing++;
    this.#wake?.();
    await this.#running;
    this.#flushing--;
  }

  async #close(): Promise<void> {
    const timer = setTimeout(() => this.#deadline.abort(), CLOSE_DEADLINE_MS);
    await this.#drain();
    await raceAbort(this.#sink.close(), this.#deadline.signal);
    clearTimeout(timer);
  }

  #push(lines: Buffer | undefined): void {
    if (!lines) return;
    this.#queue.push(createBatch(lines), performance.now());
    this.#wake?.();
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    while (this.#queue.count > 0) {
      await this.#untilDue();
      const batch = this.#queue.take();
      if (batch) this.#settle(batch, await this.#deliver(batch));
      const resume = this.#resume;
      if (resume && this.#queue.bytes < this.#hints.maxBytes) {
        this.#resume = undefined;
        resume();
      }
    }
  }

  async #untilDue(): Promise<void> {
    const due = (): number => (this.#flushing > 0 ? 0 : this.#queue.dueInMs(performance.now()));
    for (let ms = due(); ms > 0; ms = due()) {
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

  #deliver(batch: Batch): Promise<Delivery> {
    return deliver(this.#sink, batch, {
      signal: this.#deadline.signal,
      onFault: (reason) => this.#report({ type: 'down', reason }),
      onRecovered: () => this.#report({ type: 'recovered', reason: 'delivering again' }),
    });
  }

  #settle(batch: Batch, delivery: Delivery): void {
    const [first] = delivery.dead;
    if (first) this.#report({ type: 'dropped', reason: first.reason, count: delivery.dead.length });
    if (!delivery.pending) return;
    const reason = `not delivered within ${CLOSE_DEADLINE_MS} ms of closing`;
    this.#report({ type: 'dropped', reason, count: batch.count - delivery.delivered - delivery.dead.length });
  }
}

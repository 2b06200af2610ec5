import type { Batch } from './batch.ts';
import { deliver, raceAbort, type Delivery, type RetryPolicy } from './delivery.ts';
import { messageOf, TreelineError } from './errors.ts';
import type { Sink } from './sink.ts';

/** setTimeout's longest wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Where a driver takes its lines from. */
export interface DrivenLines {
  /** How long the lines that wait may go on waiting for others; Infinity where none wait. */
  dueInMs(nowMs: number): number;
  /** The next batch, or undefined where there is none to be had yet. */
  take(): Batch | undefined;
}

export interface SinkDriverOptions {
  readonly lines: DrivenLines;
  readonly sink: Sink;
  readonly retry?: RetryPolicy | undefined;
  /** Called once for each batch that was taken, in order. */
  settled(batch: Batch, delivery: Delivery): void;
  /** Called for each attempt that failed. */
  fault(reason: string): void;
  recovered(): void;
}

interface PendingFlush {
  readonly isDue: () => boolean;
  readonly done: (error: Error | undefined) => void;
}

/**
 * Carries lines to a sink: one batch at a time, in order, gathered for as long as they may wait, offered again until they are settled.
 * The one loop that calls the sink: its write and flush never overlap.
 */
export class SinkDriver {
  readonly #options: SinkDriverOptions;
  readonly #stop = new AbortController();
  #flushes: PendingFlush[] = [];
  #running = false;
  #wake: (() => void) | undefined;

  constructor(options: SinkDriverOptions) {
    this.#options = options;
  }

  /** To be called when lines have been added. */
  wake(): void {
    if (!this.#running) this.#start();
    else if (this.#options.lines.dueInMs(performance.now()) === 0) this.#wake?.();
  }

  /**
   * Delivers what waits without gathering more, then flushes the sink.
   *
   * @param isDue tells when what the caller means has been settled.
   * @returns the sink's error, or TIMEOUT where the driver was stopped first.
   */
  flush(isDue: () => boolean): Promise<Error | undefined> {
    return new Promise((resolve) => {
      this.#flushes.push({ isDue, done: resolve });
      this.#wake?.();
      if (!this.#running) this.#start();
    });
  }

  /** Ends the attempts: what is under way is settled as pending, what waits stays where it is. */
  stop(): void {
    this.#stop.abort();
    this.#wake?.();
  }

  #start(): void {
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    const { lines } = this.#options;
    for (;;) {
      const waiting = lines.dueInMs(performance.now()) < Infinity && !this.#stop.signal.aborted;
      const due = this.#flushes.filter(({ isDue }) => !waiting || isDue());
      if (due.length > 0) {
        this.#flushes = this.#flushes.filter((flush) => !due.includes(flush));
        const error = await this.#flushSink();
        for (const { done } of due) done(error);
      } else if (waiting) {
        await this.#untilDue();
        await this.#deliverNext();
      } else {
        // In the same tick as the check: what is added from here on starts a new run.
        this.#running = false;
        return;
      }
    }
  }

  async #deliverNext(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { lines, sink, retry } = this.#options;
    const batch = lines.take();
    if (!batch) {
      // Lines that take long to find must not keep the thread from other work.
      await new Promise((resolve) => setImmediate(resolve));
      return;
    }
    const delivery = await deliver(sink, batch, {
      signal: this.#stop.signal,
      ...(retry && { retry }),
      onFault: (reason) => this.#options.fault(reason),
      onRecovered: () => this.#options.recovered(),
    });
    this.#options.settled(batch, delivery);
  }

  async #untilDue(): Promise<void> {
    const dueInMs = (): number =>
      this.#flushes.length > 0 || this.#stop.signal.aborted
        ? 0
        : this.#options.lines.dueInMs(performance.now());
    for (let ms = dueInMs(); ms > 0; ms = dueInMs()) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }

  async #flushSink(): Promise<Error | undefined> {
    const flushed = Promise.resolve()
      .then(() => this.#options.sink.flush())
      .then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error : new Error(messageOf(error))),
      );
    const outcome = await raceAbort(flushed, this.#stop.signal);
    return outcome === 'aborted'
      ? new TreelineError('TIMEOUT', 'it was closed before its sink had flushed')
      : outcome;
  }
}

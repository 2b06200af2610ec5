import type { Batch } from './batch.ts';
import { deliver, type Delivery, type RetryPolicy } from './delivery.ts';
import type { Sink } from './sink.ts';

/** Where a driver takes its lines from. */
export interface DrivenLines {
  /** How long the lines that wait may go on waiting for others; Infinity where none wait. */
  dueInMs(nowMs: number): number;
  /** The next batch, or undefined where none waits. */
  take(): Batch | undefined;
}

export interface SinkDriverOptions {
  readonly lines: DrivenLines;
  readonly sink: Sink;
  readonly retry?: RetryPolicy;
  /** Called once for each batch that was taken, in order. */
  settled(batch: Batch, delivery: Delivery): void;
  fault(reason: string): void;
  recovered(): void;
}

/** Carries lines to a sink, one batch at a time, in order: the loop that every stream and every bare transport runs. */
export class SinkDriver {
  readonly #options: SinkDriverOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #urgent = 0;

  constructor(options: SinkDriverOptions) {
    this.#options = options;
  }

  /** To be called when lines have been added. */
  wake(): void {
    this.#wake?.();
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Delivers what waits without gathering more; resolves when nothing waits or the driver was stopped. */
  async drain(): Promise<void> {
    this.#urgent++;
    this.wake();
    await this.#running;
    this.#urgent--;
  }

  /** Ends the attempts; what is under way is settled as pending. */
  stop(): void {
    this.#stop.abort();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    const { lines } = this.#options;
    while (!this.#stop.signal.aborted && lines.dueInMs(performance.now()) < Infinity) {
      await this.#untilDue();
      if (this.#stop.signal.aborted) return;
      const batch = lines.take();
      if (batch) this.#options.settled(batch, await this.#deliver(batch));
    }
  }

  async #untilDue(): Promise<void> {
    const due = (): number => (this.#urgent > 0 ? 0 : this.#options.lines.dueInMs(performance.now()));
    for (let ms = due(); ms > 0 && !this.#stop.signal.aborted; ms = due()) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(ms, 2 ** 31 - 1));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }

  #deliver(batch: Batch): Promise<Delivery> {
    const { sink, retry } = this.#options;
    return deliver(sink, batch, {
      signal: this.#stop.signal,
      ...(retry && { retry }),
      onFault: (reason) => this.#options.fault(reason),
      onRecovered: () => this.#options.recovered(),
    });
  }
}

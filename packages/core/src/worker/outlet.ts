import { backoffMs, messageOf, raceAbort, type Batch, type Sink, type WriteResult } from '@treeline/contract';

export interface OutletOptions {
  /** Opens the destination anew, with the options that hold. */
  open(): Promise<Sink>;
  /**
   * What gives the lines that are being written to another stream, and resolves when that has delivered them, false where it can't.
   * Undefined for a stream that waits for its destination instead.
   */
  fallBack(): (() => Promise<boolean>) | undefined;
  /** Where lines fall back, faults and their end are told here: to the driver all goes well. */
  fault(reason: string): void;
  recovered(): void;
}

/** What a stream's driver writes to: the sink that is open now, while its options may change, and the fallback while it is down. */
export class Outlet implements Sink {
  readonly #options: OutletOptions;
  #sink: Sink | undefined;
  /** It has been open, and may be opened again by a write. */
  #isKnown = false;
  /** The call that the sink has. */
  #call: Promise<unknown> = Promise.resolve();
  /** Calls wait for this while the sink is being exchanged. */
  #ready: Promise<void> = Promise.resolve();
  #giveUp = new AbortController();
  #failures = 0;
  #retryAtMs = 0;

  constructor(options: OutletOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#sink !== undefined;
  }

  use(sink: Sink): void {
    this.#sink = sink;
    this.#isKnown = true;
  }

  async write(batch: Batch): Promise<WriteResult | void> {
    await this.#ready;
    const fallBack = this.#options.fallBack();
    if (!fallBack) return this.#write(batch);
    let fault: unknown = new Error('its destination is down');
    if (performance.now() >= this.#retryAtMs) {
      try {
        const result = await this.#write(batch);
        if (this.#failures > 0) this.#options.recovered();
        this.#failures = 0;
        return result;
      } catch (error) {
        fault = error;
        this.#retryAtMs = performance.now() + backoffMs(++this.#failures);
        this.#options.fault(messageOf(error));
      }
    }
    if (!(await fallBack())) throw fault;
  }

  async flush(): Promise<void> {
    await this.#ready;
    // What fell back has been delivered by another stream.
    if (this.#failures === 0) await this.#track(this.#sink?.flush());
  }

  async reopen(): Promise<void> {
    await this.#ready;
    await this.#sink?.reopen?.();
  }

  async close(): Promise<void> {
    await this.#sink?.close();
  }

  settledSeq(logId: string): number | undefined {
    return this.#sink?.settledSeq?.(logId);
  }

  /**
   * Closes the destination and opens it with new options; writes wait meanwhile. A write that does not end in time is offered again
   * to the new sink.
   *
   * @throws what `open` throws; the destination is open with its old options then, or is opened by the next write.
   */
  async handOver(open: () => Promise<Sink>, signal: AbortSignal): Promise<void> {
    let release = (): void => undefined;
    this.#ready = new Promise((resolve) => {
      release = resolve;
    });
    try {
      const old = this.#sink;
      await raceAbort(settled(this.#call), signal);
      if (old) await raceAbort(settled(old.flush()), signal);
      this.#giveUp.abort();
      this.#giveUp = new AbortController();
      if (old) await raceAbort(settled(old.close()), signal);
      this.#sink = undefined;
      const opened = await raceAbort(open(), signal);
      if (opened === 'aborted') throw new Error('its destination did not open in time');
      this.#sink = opened;
    } finally {
      release();
    }
  }

  async #write(batch: Batch): Promise<WriteResult | void> {
    if (!this.#isKnown) throw new Error('its destination is not open yet');
    this.#sink ??= await this.#options.open();
    const result = await raceAbort(this.#track(this.#sink.write(batch)), this.#giveUp.signal);
    if (result === 'aborted') throw new Error('its destination was opened anew');
    return result;
  }

  #track<T>(call: Promise<T> | undefined): Promise<T | undefined> {
    const tracked = Promise.resolve(call);
    this.#call = settled(tracked);
    return tracked;
  }
}

async function settled(promise: Promise<unknown>): Promise<void> {
  await promise.catch(() => undefined);
}

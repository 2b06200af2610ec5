import {
  backoffMs,
  BatchQueue,
  DEFAULT_BATCH_HINTS,
  messageOf,
  raceAbort,
  selectLines,
  SinkDriver,
  type Batch,
  type BatchHints,
  type Delivery,
  type Sink,
  type SinkEvent,
} from '@treeline/contract';
import type { StreamConfig } from '../config/config.ts';
import { STREAM_STATES, type StreamCounters, type StreamState } from '../control-block.ts';

/** A destination that can be opened, and how large its batches are. */
export interface OpenableSink {
  readonly batch: Partial<BatchHints> | undefined;
  open(): Promise<Sink>;
}

export interface StreamOptions {
  readonly config: StreamConfig;
  readonly rootLevel: number;
  readonly counters: StreamCounters;
  /** Loads the transport; may reject, and is tried again. */
  load(): Promise<OpenableSink>;
  /** Called when `settledSeq` has moved. */
  settled(): void;
  report(event: SinkEvent): void;
}

/** One destination within a pipeline: picks its lines, queues them, and drives its sink at its own speed. */
export class Stream {
  readonly name: string;
  readonly #options: StreamOptions;
  readonly #closing = new AbortController();
  readonly #opened: Promise<void>;
  #queue: BatchQueue;
  #minLevel: number;
  #sink: Sink | undefined;
  #driver: SinkDriver | undefined;
  /** The last record that was offered, whether or not the stream wanted it. */
  #offeredSeq: number;

  constructor(options: StreamOptions) {
    this.name = options.config.name;
    this.#options = options;
    this.#minLevel = options.config.level ?? options.rootLevel;
    this.#offeredSeq = this.settledSeq;
    this.#queue = new BatchQueue(this.#hints(undefined));
    this.#opened = this.#open();
  }

  /** Everything up to here is delivered, dropped, or was never this stream's. */
  get settledSeq(): number {
    return this.#options.counters.read('settledSeq');
  }

  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** A stream without a level of its own follows the root level. */
  setRootLevel(level: number): void {
    this.#minLevel = this.#options.config.level ?? level;
  }

  /** Takes the lines that pass from the next batch of the log. */
  offer(batch: Batch): void {
    const lastSeq = batch.position?.seq ?? 0;
    if (lastSeq <= this.#offeredSeq) return;
    this.#offeredSeq = lastSeq;
    const wanted = this.#select(batch);
    if (wanted.count === 0) {
      if (this.#options.counters.read('queued') === 0) this.#settle({ settledSeq: lastSeq });
      return;
    }
    const { counters } = this.#options;
    counters.add({ accepted: wanted.count, queued: wanted.count, queuedBytes: wanted.bytes.length });
    this.#queue.push(wanted, performance.now());
    this.#driver?.wake();
  }

  /** Resolves when everything offered so far is settled and the sink has flushed. */
  async flush(): Promise<void> {
    await this.#opened;
    await this.#driver?.drain();
    await this.#sink?.flush();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#driver?.stop();
    await this.#sink?.close();
    this.#setState('closed');
  }

  async #open(): Promise<void> {
    const { config } = this.#options;
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      try {
        const openable = await this.#options.load();
        this.#useHints(this.#hints(openable.batch));
        this.#sink = await openable.open();
        this.#start(this.#sink);
        return;
      } catch (error) {
        this.#setState('down');
        this.#options.report({ type: 'down', reason: `${config.type} can't be opened: ${messageOf(error)}` });
        await raceAbort(sleep(backoffMs(attempt)), this.#closing.signal);
      }
    }
  }

  #start(sink: Sink): void {
    this.#driver = new SinkDriver({
      lines: {
        dueInMs: (nowMs) => this.#queue.dueInMs(nowMs),
        take: () => this.#queue.take(),
      },
      sink,
      settled: (batch, delivery) => this.#account(batch, delivery),
      fault: (reason) => {
        this.#setState('down');
        this.#options.report({ type: 'down', reason });
      },
      recovered: () => {
        this.#setState('up');
        this.#options.report({ type: 'recovered', reason: 'delivering again' });
      },
    });
    this.#setState('up');
    this.#options.report({ type: 'up', reason: 'open' });
    this.#driver.wake();
  }

  #account(batch: Batch, delivery: Delivery): void {
    if (delivery.pending) return;
    const [firstDead] = delivery.dead;
    if (firstDead) {
      const count = delivery.dead.length;
      this.#options.report({ type: 'dropped', reason: `refused: ${firstDead.reason}`, count });
    }
    this.#options.counters.add({
      delivered: delivery.delivered,
      deadLettered: delivery.dead.length,
      queued: -batch.count,
      queuedBytes: -batch.bytes.length,
    });
    const nothingWaits = this.#queue.count === 0;
    this.#settle({ settledSeq: nothingWaits ? this.#offeredSeq : (batch.position?.seq ?? 0) });
  }

  #settle(change: { settledSeq: number }): void {
    this.#options.counters.update(change);
    this.#options.settled();
  }

  #select(batch: Batch): Batch {
    const maxLevel = this.#options.config.maxLevel ?? Infinity;
    const { levels } = batch;
    const passes = (level: number): boolean => level >= this.#minLevel && level <= maxLevel;
    if (levels.every(passes)) return batch;
    const indexes: number[] = [];
    for (let index = 0; index < levels.length; index++) if (passes(levels[index] ?? 0)) indexes.push(index);
    return selectLines(batch, indexes);
  }

  #hints(fromTransport: Partial<BatchHints> | undefined): BatchHints {
    return { ...DEFAULT_BATCH_HINTS, ...fromTransport, ...this.#options.config.batch };
  }

  /** Lines may have been queued while the transport was still loading. */
  #useHints(hints: BatchHints): void {
    const waiting = this.#queue;
    this.#queue = new BatchQueue(hints);
    for (let batch = waiting.take(); batch; batch = waiting.take()) this.#queue.push(batch, performance.now());
  }

  #setState(state: StreamState): void {
    this.#options.counters.update({ state: STREAM_STATES.indexOf(state) });
  }
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

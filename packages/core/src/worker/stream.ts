import {
  backoffMs,
  DEFAULT_BATCH_HINTS,
  messageOf,
  raceAbort,
  SinkDriver,
  type Batch,
  type BatchHints,
  type Delivery,
  type Sink,
  type SinkEvent,
} from '@treeline/contract';
import type { StreamConfig } from '../config/config.ts';
import { STREAM_STATES, type StreamCounters, type StreamState } from '../control-block.ts';
import { Backlog, type LogFrames } from './backlog.ts';
import { LevelGate } from './level-gate.ts';

/** A destination that can be opened, and how large its batches are. */
export interface OpenableSink {
  readonly batch: Partial<BatchHints> | undefined;
  open(): Promise<Sink>;
}

export interface StreamOptions {
  readonly config: StreamConfig;
  readonly logId: string;
  readonly rootLevel: number;
  readonly counters: StreamCounters;
  readonly frames: LogFrames;
  spilledSeq(): number;
  /** Loads the transport; may reject, and is tried again. */
  load(): Promise<OpenableSink>;
  /** Called when `settledSeq` has moved. */
  settled(): void;
  report(event: SinkEvent): void;
}

/** One destination within a pipeline: picks its lines, and drives its sink at its own speed. */
export class Stream {
  readonly name: string;
  readonly #options: StreamOptions;
  readonly #gate: LevelGate;
  readonly #closing = new AbortController();
  readonly #opened: Promise<void>;
  readonly #backlog: Backlog;
  #sink: Sink | undefined;
  #driver: SinkDriver | undefined;
  #closed: Promise<void> | undefined;
  /** The last record that was offered, whether or not the stream wanted it. */
  #offeredSeq: number;

  constructor(options: StreamOptions) {
    this.name = options.config.name;
    this.#options = options;
    this.#gate = new LevelGate(options.config.level ?? options.rootLevel, options.config.maxLevel);
    this.#offeredSeq = this.settledSeq;
    this.#backlog = new Backlog({
      logId: options.logId,
      hints: this.#hints(undefined),
      gate: this.#gate,
      frames: options.frames,
      spilledSeq: () => options.spilledSeq(),
      takenSeq: this.settledSeq,
    });
    this.#opened = this.#open();
  }

  /** Everything up to here is delivered, dropped, or was never this stream's. */
  get settledSeq(): number {
    return this.#options.counters.read('settledSeq');
  }

  /** Whether more of the log may be read ahead for this stream. */
  get hasRoom(): boolean {
    return this.#backlog.hasRoom;
  }

  /** A stream without a level of its own follows the root level. */
  setRootLevel(level: number): void {
    if (this.#options.config.level === undefined) this.#gate.setMinLevel(level, this.#offeredSeq + 1);
  }

  /** Takes the lines that pass from the next batch of the log. */
  offer(batch: Batch): void {
    const lastSeq = batch.position?.seq ?? 0;
    if (lastSeq <= this.#offeredSeq) return;
    const wanted = this.#gate.select(batch);
    this.#offeredSeq = lastSeq;
    if (wanted.count === 0 && this.#options.counters.read('queued') === 0) {
      this.#options.counters.update({ settledSeq: lastSeq });
      return;
    }
    this.#options.counters.add({ accepted: wanted.count, queued: wanted.count, queuedBytes: wanted.bytes.length });
    this.#backlog.push(wanted, performance.now());
    this.#driver?.wake();
  }

  /** Resolves when everything offered so far is settled and the sink has flushed; rejects with the sink's error. */
  async flush(): Promise<void> {
    const upToSeq = this.#offeredSeq;
    await this.#opened;
    const error = await this.#driver?.flush(() => this.settledSeq >= upToSeq);
    if (error) throw error;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    this.#driver?.stop();
    await this.#opened;
    await this.#sink?.close();
    this.#setState('closed');
  }

  async #open(): Promise<void> {
    const { config } = this.#options;
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      try {
        const openable = await this.#options.load();
        this.#backlog.setHints(this.#hints(openable.batch));
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
        dueInMs: (nowMs) => this.#backlog.dueInMs(nowMs),
        take: () => this.#backlog.take(),
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
    const settledSeq = this.#backlog.isEmpty ? this.#offeredSeq : (batch.position?.seq ?? 0);
    this.#gate.forget(settledSeq);
    this.#options.counters.update({ settledSeq });
    this.#options.settled();
  }

  #hints(fromTransport: Partial<BatchHints> | undefined): BatchHints {
    return { ...DEFAULT_BATCH_HINTS, ...fromTransport, ...this.#options.config.batch };
  }

  #setState(state: StreamState): void {
    this.#options.counters.update({ state: STREAM_STATES.indexOf(state) });
  }
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

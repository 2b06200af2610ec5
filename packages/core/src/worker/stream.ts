import {
  backoffMs,
  DEFAULT_BATCH_HINTS,
  messageOf,
  raceAbort,
  SinkDriver,
  sliceBatch,
  type Batch,
  type BatchHints,
  type Delivery,
  type RetryPolicy,
  type Sink,
  type SinkEvent,
} from '@treeline/contract';
import type { StreamConfig } from '../config/config.ts';
import { streamKey } from '../stream-key.ts';
import { STREAM_STATES, type DropReason, type StreamCounters, type StreamState } from '../control-block.ts';
import { AdoptedLines, type AdoptedLinesOptions } from './adopted-lines.ts';
import { Backlog, type LogFrames } from './backlog.ts';
import { dropNotice } from './drop-notice.ts';
import { LevelGate } from './level-gate.ts';
import type { RefusedOutcome, RefusedRecords } from './refused-records.ts';
import type { LineSum } from './replay-ledger.ts';

/** What the window doesn't count: posted and not yet let go of. */
const IN_TRANSIT_BYTES = 16 * 1024 * 1024;

const NOTHING_REFUSED: RefusedOutcome = { kept: 0, dropped: new Map() };

/** A destination, how large its batches are, and how long it is waited between attempts. */
export interface OpenedSink {
  readonly sink: Sink;
  readonly batch: Partial<BatchHints> | undefined;
  readonly retry: RetryPolicy | undefined;
}

export interface StreamOptions {
  readonly config: StreamConfig;
  readonly logId: string;
  readonly rootLevel: number;
  readonly counters: StreamCounters;
  readonly frames: LogFrames;
  readonly refused: RefusedRecords;
  spilledSeq(): number;
  /** Why the segments do not hold a record any more. */
  lossReason(seq: number): DropReason;
  /** What may stay in memory while the segments can't take it. */
  readonly windowBytes: number;
  /** Nothing is delivered before what dead processes left has been taken over. */
  readonly adopted: Promise<unknown>;
  /** Opens the destination; may reject, and is tried again. */
  open(): Promise<OpenedSink>;
  /** Called when `settledSeq` has moved. */
  settled(): void;
  report(event: SinkEvent): void;
}

/** One destination within a pipeline: picks its lines, and drives its sink at its own speed. */
export class Stream {
  readonly name: string;
  readonly key: string;
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
  /** A notice of drops is on its way to the destination. */
  #isTelling = false;
  /** Drops that this stream's destination has not been told of. */
  #untold = new Map<DropReason, number>();
  /** What dead processes left for this stream, oldest first. */
  #adopted: AdoptedLines[] = [];
  #adoptions: AdoptedLinesOptions[] = [];
  /** The batch that the sink has. */
  #delivering: Batch | undefined;

  constructor(options: StreamOptions) {
    this.name = options.config.name;
    this.key = streamKey(options.config);
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
      lost: (lines, firstSeq) => this.#drop(options.lossReason(firstSeq), lines),
    });
    this.#opened = this.#open();
  }

  /** Everything up to here is delivered, dropped, or was never this stream's. */
  get settledSeq(): number {
    return this.#options.counters.read('settledSeq');
  }

  /** Whether bytes of some of these records are referred to in memory. */
  holds(firstSeq: number, lastSeq: number): boolean {
    if (this.#backlog.heldFromSeq <= lastSeq) return true;
    const batch = this.#delivering;
    if (batch?.position?.logId !== this.#options.logId) return false;
    return batch.seq(0) <= lastSeq && batch.seq(batch.count - 1) >= firstSeq;
  }

  /** Whether more of the log may be read ahead for this stream: one that drops reads on, for its policy to act. */
  get hasRoom(): boolean {
    return this.#backlog.hasRoom || this.#options.config.queue.whenFull !== 'spill';
  }

  /** A stream without a level of its own follows the root level. */
  setRootLevel(level: number): void {
    if (this.#options.config.level === undefined) this.#gate.setMinLevel(level, this.#offeredSeq + 1);
  }

  /** Takes the lines that pass from the next batch of the log. */
  offer(batch: Batch): void {
    const lastSeq = batch.position?.seq ?? 0;
    if (lastSeq <= this.#offeredSeq) return;
    // After a crash of the worker the log is offered again from where the slowest stream was.
    const first = Math.max(0, this.#offeredSeq + 1 - batch.seq(0));
    const wanted = this.#gate.select(first === 0 ? batch : sliceBatch(batch, first, batch.count));
    this.#offeredSeq = lastSeq;
    if (wanted.count === 0 && this.#options.counters.read('queued') === 0) {
      this.#options.counters.update({ settledSeq: lastSeq });
      return;
    }
    this.#options.counters.add({
      accepted: wanted.count,
      queued: wanted.count,
      queuedBytes: wanted.bytes.length,
    });
    this.#backlog.push(wanted, performance.now());
    this.#limitLag();
    this.#driver?.wake();
  }

  /** Takes over what a dead process left for this stream. */
  adopt(lines: AdoptedLinesOptions): void {
    this.#adoptions.push(lines);
  }

  /** Records of the log that nothing can give back: this stream's share of them is not known, so all count as its own. */
  miss(lastSeq: number, count: number, reason: DropReason): void {
    if (lastSeq <= this.#offeredSeq) return;
    this.#offeredSeq = lastSeq;
    this.#options.counters.add({ accepted: count, [reason]: count });
    this.#countDrop(reason, count);
    this.#settleIfIdle();
  }

  /** The segments up to `seq` were given up, so that the log could go on: what the stream had still to get from them is lost. */
  overrun(seq: number, reason: DropReason): void {
    this.#drop(reason, this.#backlog.overrun(seq));
    this.#settleIfIdle();
    this.#driver?.wake();
  }

  /** Resolves when everything offered or taken over so far is settled and the sink has flushed; rejects with the sink's error. */
  async flush(): Promise<void> {
    const upToSeq = this.#offeredSeq;
    await this.#opened;
    const error = await this.#driver?.flush(
      () => this.settledSeq >= upToSeq && this.#adopted.length === 0 && !this.#isTelling,
    );
    if (error) throw error;
  }

  /** A stream that is not open yet has nothing to let go of. */
  async reopen(): Promise<void> {
    try {
      await this.#sink?.reopen?.();
    } catch (error) {
      const reason = `can't be opened anew (the next write tries again): ${messageOf(error)}`;
      this.#options.report({ type: 'warning', reason });
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    this.#driver?.stop();
    for (const lines of this.#adopted) lines.close();
    await this.#opened;
    await this.#sink?.close();
    this.#options.refused.close();
    this.#setState('closed');
  }

  async #open(): Promise<void> {
    const { config } = this.#options;
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      try {
        const { sink, batch, retry } = await this.#options.open();
        this.#sink = sink;
        this.#backlog.setHints(this.#hints(batch));
        await this.#options.adopted;
        // Closed meanwhile: what waits belongs to the next start.
        if (this.#closing.signal.aborted) return;
        this.#takeOver(this.#hints(batch));
        this.#start(sink, retry);
        return;
      } catch (error) {
        this.#setState('down');
        this.#options.report({ type: 'down', reason: `${config.type} can't be opened: ${messageOf(error)}` });
        await raceAbort(sleep(backoffMs(attempt)), this.#closing.signal);
      }
    }
  }

  #start(sink: Sink, retry: RetryPolicy | undefined): void {
    this.#driver = new SinkDriver({
      lines: {
        // Also the last of them, with nothing left in it: taking is what gives it up and goes on with the backlog.
        dueInMs: (nowMs) => (this.#adopted.length > 0 ? 0 : this.#backlog.dueInMs(nowMs)),
        take: () => this.#take(),
      },
      sink,
      retry,
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

  #takeOver(hints: BatchHints): void {
    const { config, rootLevel, counters } = this.#options;
    this.#adopted = this.#adoptions.map((lines) => {
      const gate = new LevelGate(config.level ?? rootLevel, config.maxLevel);
      return new AdoptedLines(lines, gate, hints, (count, bytes, lost) => {
        counters.add({
          adopted: count + lost,
          queued: count,
          queuedAdopted: count,
          queuedBytes: bytes,
          'disk-fault': lost,
        });
        if (lost > 0) this.#countDrop('disk-fault', lost);
      });
    });
    this.#adoptions = [];
  }

  #take(): Batch | undefined {
    const batch = this.#takeAdopted() ?? (this.#adopted.length > 0 ? undefined : this.#backlog.take());
    this.#delivering = batch;
    if (!batch) this.#settleIfIdle();
    return batch;
  }

  #takeAdopted(): Batch | undefined {
    for (let lines = this.#adopted[0]; lines; lines = this.#adopted[0]) {
      const batch = lines.take();
      if (batch) return batch;
      lines.settle(-1);
      lines.close();
      this.#adopted.shift();
    }
    return undefined;
  }

  #account(batch: Batch, delivery: Delivery): void {
    this.#delivering = undefined;
    if (delivery.pending) return;
    const { logId, seq: settledSeq } = batch.position ?? { logId: this.#options.logId, seq: 0 };
    const isAdopted = logId !== this.#options.logId;
    const refused = this.#refuse(batch, delivery.dead);
    this.#options.counters.add({
      ...Object.fromEntries(refused.dropped),
      delivered: delivery.delivered,
      deadLettered: refused.kept,
      queued: -batch.count,
      queuedAdopted: isAdopted ? -batch.count : 0,
      queuedBytes: -batch.bytes.length,
    });
    if (!batch.position) this.#isTelling = false;
    if (isAdopted) this.#adopted[0]?.settle(settledSeq);
    else if (settledSeq > this.settledSeq) this.#options.counters.update({ settledSeq });
    this.#settleIfIdle();
    this.#gate.forget(this.settledSeq);
    this.#options.settled();
    this.#tellDrops();
  }

  #refuse(batch: Batch, dead: Delivery['dead']): RefusedOutcome {
    const [first] = dead;
    if (!first) return NOTHING_REFUSED;
    const outcome = this.#options.refused.keep(batch, dead);
    this.#options.report({ type: 'dropped', reason: `refused: ${first.reason}`, count: dead.length });
    for (const [reason, count] of outcome.dropped) {
      // A destination that refuses this stream's notices, or has no reader, is not told again: that would go on for ever.
      if (batch.position && reason !== 'reader-gone') this.#countDrop(reason, count);
    }
    return outcome;
  }

  /** With nothing waiting, everything offered is settled; what is still counted as queued was lost with its segment. */
  #settleIfIdle(): void {
    if (!this.#backlog.isEmpty || this.#delivering || this.#adopted.length > 0) return;
    const { counters } = this.#options;
    const lost = counters.read('queued');
    if (lost > 0) this.#drop('disk-fault', { count: lost, bytes: counters.read('queuedBytes') });
    counters.update({ settledSeq: this.#offeredSeq });
  }

  /** Past `queue.maxBytes` the stream's policy acts; one that spills comes to it when the log is full. */
  #limitLag(): void {
    const { queue } = this.#options.config;
    const reason = queue.whenFull === 'spill' ? 'log-full' : 'queue-full';
    const inMemory = this.#backlog.memoryBytes;
    // The segments can't take it: what they have has been let go of already.
    if (inMemory > 2 * this.#options.windowBytes + IN_TRANSIT_BYTES)
      this.#drop('disk-fault', this.#backlog.dropOldest(inMemory / 4));
    while (this.#options.counters.read('queuedBytes') > queue.maxBytes) {
      const excess = this.#options.counters.read('queuedBytes') - queue.maxBytes;
      const dropped =
        queue.whenFull === 'drop-oldest' ? this.#backlog.dropOldest(excess) : this.#backlog.thin();
      if (dropped.count === 0) return;
      this.#drop(reason, dropped);
    }
  }

  #drop(reason: DropReason, { count, bytes }: LineSum): void {
    if (count === 0) return;
    this.#options.counters.add({ [reason]: count, queued: -count, queuedBytes: -bytes });
    this.#countDrop(reason, count);
  }

  #countDrop(reason: DropReason, count: number): void {
    if (this.#untold.size === 0) this.#options.report({ type: 'full', reason: DROP_EXPLANATIONS[reason] });
    this.#untold.set(reason, (this.#untold.get(reason) ?? 0) + count);
  }

  /** Once the stream has caught up, its destination hears what it has missed, as a line of its own. */
  #tellDrops(): void {
    if (this.#untold.size === 0 || !this.#backlog.isEmpty || this.#adopted.length > 0) return;
    const untold = this.#untold;
    this.#untold = new Map();
    const count = [...untold.values()].reduce((sum, each) => sum + each, 0);
    const notice = dropNotice(untold, count);
    this.#options.counters.add({ accepted: 1, queued: 1, queuedBytes: notice.bytes.length });
    this.#isTelling = true;
    this.#backlog.push(notice, performance.now());
    this.#driver?.wake();
    this.#options.report({ type: 'dropped', reason: [...untold.keys()].join(', '), count });
  }

  #hints(fromTransport: Partial<BatchHints> | undefined): BatchHints {
    return { ...DEFAULT_BATCH_HINTS, ...fromTransport, ...this.#options.config.batch };
  }

  #setState(state: StreamState): void {
    this.#options.counters.update({ state: STREAM_STATES.indexOf(state) });
  }
}

const DROP_EXPLANATIONS: Readonly<Record<DropReason, string>> = {
  'queue-full': 'it lags further behind than queue.maxBytes: the least important lines are dropped',
  'log-full': 'the log has reached spool.maxBytes: the oldest lines are dropped',
  'disk-full': 'the disk is full under the state directory: the oldest lines are dropped',
  'disk-fault': 'lines are missing from the log on disk',
  closed: 'the logger is closed',
  refused: 'the destination refuses lines, and the file for them (dead letters) is full',
  'reader-gone': 'the reader has closed the pipe',
  sample: 'lines are sampled',
  'rate-limit': 'the rate limit is reached',
  dedupe: 'repeated lines are left out',
};

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

import {
  backoffMs,
  createBatch,
  DEFAULT_BATCH_HINTS,
  messageOf,
  raceAbort,
  selectLines,
  SinkDriver,
  sliceBatch,
  type Batch,
  type BatchHints,
  type Delivery,
  type RetryPolicy,
  type Sink,
  type SinkEvent,
} from '@treeline/contract';
import { isDeepStrictEqual } from 'node:util';
import type { PipelineConfig, StreamConfig } from '../config/config.ts';
import { destinationKey, streamKey } from '../stream-key.ts';
import { compileLineRule, NO_LINE, type LineRule } from '../stages/line-rule.ts';
import { compileStages, type Staged, type Stages } from '../stages/stages.ts';
import { STREAM_STATES, type DropReason, type StreamCounters, type StreamState } from '../control-block.ts';
import { AdoptedLines, type AdoptedLinesOptions } from './adopted-lines.ts';
import { Backlog, type LogFrames } from './backlog.ts';
import { dropNotice, noticeOf } from './drop-notice.ts';
import { LineGate } from './line-gate.ts';
import { Outlet } from './outlet.ts';
import type { RefusedOutcome, RefusedRecords } from './refused-records.ts';
import { StreamAccount } from './stream-account.ts';

/** What the window doesn't count: posted and not yet let go of. */
const IN_TRANSIT_BYTES = 16 * 1024 * 1024;

/** Summaries that are due at about the same time are told together. */
const SUMMARY_STEP_MS = 100;

/** setTimeout's longest wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What a destination may take to close, once nothing is left to deliver or there was no time for it. */
const CLOSE_TIMEOUT_MS = 2_000;

/** Lines without a place in the log, and who waits for them. */
interface LooseLines {
  readonly lines: Batch;
  settled(delivered: boolean): void;
}

const NOTHING_REFUSED: RefusedOutcome = { kept: 0, dropped: new Map() };

/** A destination, how large its batches are, and how long it is waited between attempts. */
export interface OpenedSink {
  readonly sink: Sink;
  readonly batch: Partial<BatchHints> | undefined;
  readonly retry: RetryPolicy | undefined;
}

export interface StreamOptions {
  /** Unique within the pipeline; names may come again. */
  readonly id: number;
  readonly config: StreamConfig;
  readonly logId: string;
  /** What holds for all streams. */
  readonly root: PipelineConfig;
  /** That of the config, or one that the program has set. */
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
  readonly open: () => Promise<OpenedSink>;
  /** The last record that is the stream's own, where it is no longer part of the config. */
  readonly untilSeq: number | undefined;
  /** Another stream of the config. */
  streamNamed(name: string): Stream | undefined;
  /** Called when `settledSeq` has moved. */
  settled(): void;
  report(event: SinkEvent): void;
}

/** One destination within a pipeline: picks its lines, and drives its sink at its own speed. */
export class Stream {
  readonly id: number;
  readonly name: string;
  readonly key: string;
  readonly destinationKey: string;
  /** Opens the destination with the options that hold. */
  open: () => Promise<OpenedSink>;
  #options: StreamOptions;
  readonly #gate: LineGate;
  readonly #closing = new AbortController();
  readonly #opened: Promise<void>;
  readonly #backlog: Backlog;
  readonly #outlet: Outlet;
  readonly #account: StreamAccount;
  #transportHints: Partial<BatchHints> | undefined;
  #retry: RetryPolicy | undefined;
  #rootLevel: number;
  #isRetired = false;
  #untilSeq = Infinity;
  #driver: SinkDriver | undefined;
  #closed: Promise<void> | undefined;
  /** The last record that was offered, whether or not the stream wanted it. */
  #offeredSeq: number;
  /** Lines that have no place in the log: notices of drops, summaries, lines of a stream that is down. The first may be with the sink. */
  readonly #loose: LooseLines[] = [];
  /** What dead processes left for this stream, oldest first. */
  #adopted: AdoptedLines[] = [];
  #adoptions: AdoptedLinesOptions[] = [];
  /** What the sink has: the lines as they were logged, and what the stages made of them. */
  #delivering: { readonly raw: Batch; readonly staged: Staged; hasFallenBack: boolean } | undefined;
  #stages: Stages;
  #summaryTimer: NodeJS.Timeout | undefined;

  constructor(options: StreamOptions) {
    this.id = options.id;
    this.name = options.config.name;
    this.key = streamKey(options.config);
    this.destinationKey = destinationKey(options.config);
    this.open = options.open;
    this.#options = options;
    this.#rootLevel = options.rootLevel;
    this.#gate = new LineGate(this.#rule(), (count) => this.#warnOfUnprocessed(count));
    this.#stages = compileStages(options.config, options.root, (count) => this.#warnOfUnprocessed(count));
    this.#account = new StreamAccount(options.counters, (event) => options.report(event));
    this.#offeredSeq = this.settledSeq;
    if (options.untilSeq !== undefined) this.#retire(options.untilSeq);
    this.#outlet = new Outlet({
      open: () => this.#openSink(),
      fallBack: () => (this.#options.config.fallback === undefined ? undefined : () => this.#fallBack()),
      fault: (reason) => this.#isDown(reason),
      recovered: () => this.#hasRecovered(),
    });
    this.#backlog = new Backlog({
      logId: options.logId,
      hints: this.#hints(),
      gate: this.#gate,
      frames: options.frames,
      spilledSeq: () => options.spilledSeq(),
      takenSeq: this.settledSeq,
      lost: (lines, firstSeq) => this.#account.drop(options.lossReason(firstSeq), lines),
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
    const batch = this.#delivering?.raw;
    if (batch?.position?.logId !== this.#options.logId) return false;
    return batch.seq(0) <= lastSeq && batch.seq(batch.count - 1) >= firstSeq;
  }

  /** Whether more of the log may be read ahead for this stream: one that drops reads on, for its policy to act. */
  get hasRoom(): boolean {
    return !this.#isRetired && (this.#backlog.hasRoom || this.#options.config.queue.whenFull !== 'spill');
  }

  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** The last record that is the stream's own; Infinity while it is part of the config. */
  get untilSeq(): number {
    return this.#untilSeq;
  }

  /** A stream without a level of its own follows the root level, for lines after `upToSeq`. */
  setRootLevel(level: number, upToSeq: number): void {
    if (level === this.#rootLevel || this.#isRetired) return;
    this.#rootLevel = level;
    this.#setRule(upToSeq);
  }

  /** Takes over what changes in place, for lines after `upToSeq`. */
  reconfigure(config: StreamConfig, root: PipelineConfig, upToSeq: number): void {
    const before = this.#options;
    if (this.#isRetired || (isDeepStrictEqual(config, before.config) && isDeepStrictEqual(root, before.root)))
      return;
    this.#options = { ...before, config, root };
    this.#setRule(upToSeq);
    if (!isDeepStrictEqual(stageConfigOf(config, root), stageConfigOf(before.config, before.root))) {
      this.tellSummaries(Infinity);
      this.#stages = compileStages(config, root, (count) => this.#warnOfUnprocessed(count));
    }
    if (!isDeepStrictEqual(config.batch, before.config.batch)) this.#backlog.setHints(this.#hints());
  }

  /** Closes the destination and opens it with other options; lines wait in the log meanwhile. */
  async handOver(open: () => Promise<OpenedSink>, signal: AbortSignal): Promise<void> {
    const before = this.open;
    this.open = open;
    // One that could not be opened yet is tried with the new options from now on.
    if (!this.#outlet.isOpen) return;
    try {
      await this.#outlet.handOver(() => this.#openSink(), signal);
    } catch (error) {
      this.open = before;
      await this.#outlet.handOver(() => this.#openSink(), signal).catch(() => undefined);
      throw error;
    }
  }

  /** No line after `upToSeq` is this stream's; gives the last one that is. */
  retire(upToSeq: number): number {
    const untilSeq = Math.max(this.#offeredSeq, upToSeq);
    this.#retire(untilSeq);
    return untilSeq;
  }

  /**
   * Delivers what the stream has, for no longer than that; what is left then is dropped and counted. `offered` resolves when it was
   * offered all that is its own.
   */
  async drainRetired(timeoutMs: number, offered: Promise<void>): Promise<void> {
    const deadline = AbortSignal.timeout(timeoutMs);
    await raceAbort(offered, deadline);
    this.miss(this.#untilSeq, this.#untilSeq - this.#offeredSeq, 'closed');
    await raceAbort(
      this.flushAll().catch(() => undefined),
      deadline,
    );
    await raceAbort(
      this.close().catch(() => undefined),
      AbortSignal.timeout(CLOSE_TIMEOUT_MS),
    );
    const { counters } = this.#options;
    this.#account.drop('closed', { count: counters.read('queued'), bytes: counters.read('queuedBytes') });
  }

  #retire(untilSeq: number): void {
    this.#isRetired = true;
    this.#untilSeq = untilSeq;
    this.#gate.setRule(NO_LINE, untilSeq + 1);
  }

  /**
   * Takes the lines of a stream that is down, but for those that are this one's own anyhow. Resolves when they are delivered; false
   * where this stream can't deliver either.
   */
  async takeOver(lines: Batch): Promise<boolean> {
    const isUp = STREAM_STATES[this.#options.counters.read('state')] === 'up';
    if (this.#isRetired || !(isUp || this.#options.config.fallback !== undefined)) return false;
    const foreign = lines.position ? without(lines, this.#gate.select(lines)) : lines;
    if (foreign.count === 0) return true;
    // Without a place in the log: the batch that they come from is not this stream's to settle.
    return this.#tell(createBatch(Buffer.from(foreign.bytes)));
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
    this.#account.accept(wanted);
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
    this.#account.miss(count, reason);
    this.#settleIfIdle();
  }

  /** The segments up to `seq` were given up, so that the log could go on: what the stream had still to get from them is lost. */
  overrun(seq: number, reason: DropReason): void {
    this.#account.drop(reason, this.#backlog.overrun(seq));
    this.#settleIfIdle();
    this.#driver?.wake();
  }

  /** Resolves when everything offered or taken over so far is settled and the sink has flushed; rejects with the sink's error. */
  async flush(): Promise<void> {
    const upToSeq = this.#offeredSeq;
    // With a fallback it delivers before it is open.
    if (!this.#driver) await this.#opened;
    const error = await this.#driver?.flush(
      () => this.settledSeq >= upToSeq && this.#adopted.length === 0 && this.#loose.length === 0,
    );
    if (error) throw error;
  }

  /** Delivers what was logged, then what the stages have to say of it. */
  async flushAll(): Promise<void> {
    await this.flush();
    this.tellSummaries(Infinity);
    await this.flush();
  }

  /** A stream that is not open yet has nothing to let go of. */
  async reopen(): Promise<void> {
    try {
      await this.#outlet.reopen();
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
    clearTimeout(this.#summaryTimer);
    this.#driver?.stop();
    for (const lines of this.#adopted) lines.close();
    await this.#opened;
    for (const loose of this.#loose.splice(0)) loose.settled(false);
    await this.#outlet.close();
    this.#options.refused.close();
    this.#setState('closed');
  }

  async #open(): Promise<void> {
    const { config } = this.#options;
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      const { open } = this;
      try {
        const sink = await this.#openSink();
        await this.#options.adopted;
        if (open !== this.open) {
          await sink.close();
          continue;
        }
        // Closed meanwhile: what waits belongs to the next start.
        if (this.#closing.signal.aborted) {
          await sink.close();
          return;
        }
        this.#takeOver();
        this.#outlet.use(sink);
        this.#start();
        this.#setState('up');
        this.#options.report({ type: 'up', reason: 'open' });
        return;
      } catch (error) {
        // A reload came in between: the new options are tried at once.
        if (open !== this.open) continue;
        this.#setState('down');
        this.#options.report({ type: 'down', reason: `${config.type} can't be opened: ${messageOf(error)}` });
        if (config.fallback !== undefined) this.#start();
        await raceAbort(sleep(backoffMs(attempt)), this.#closing.signal);
      }
    }
  }

  async #openSink(): Promise<Sink> {
    const { open } = this;
    const { sink, batch, retry } = await open();
    if (open !== this.open) {
      await sink.close();
      throw new Error('its options were changed while it was being opened');
    }
    this.#transportHints = batch;
    this.#retry = retry;
    this.#backlog.setHints(this.#hints());
    return sink;
  }

  #start(): void {
    this.#driver ??= new SinkDriver({
      lines: {
        // Also the last of them, with nothing left in it: taking is what gives it up and goes on with the backlog.
        dueInMs: (nowMs) =>
          this.#adopted.length > 0 || this.#loose.length > 0 ? 0 : this.#backlog.dueInMs(nowMs),
        take: () => this.#take(),
      },
      sink: this.#outlet,
      retry: this.#retry,
      settled: (_, delivery) => this.#settle(delivery),
      fault: (reason) => this.#isDown(reason),
      recovered: () => this.#hasRecovered(),
    });
    this.#driver.wake();
  }

  #isDown(reason: string): void {
    this.#setState('down');
    this.#options.report({ type: 'down', reason });
  }

  #hasRecovered(): void {
    this.#setState('up');
    this.#options.report({ type: 'recovered', reason: 'delivering again' });
  }

  /** Gives what the sink did not take to the stream that stands in for this one. */
  async #fallBack(): Promise<boolean> {
    const delivering = this.#delivering;
    const { fallback } = this.#options.config;
    const stream = fallback === undefined ? undefined : this.#options.streamNamed(fallback);
    if (!delivering || !stream) return false;
    const { raw, staged } = delivering;
    const leftOut = raw.position && staged.batch.count < raw.count ? without(raw, staged.batch) : undefined;
    delivering.hasFallenBack = await stream.takeOver(leftOut ? without(raw, leftOut) : raw);
    return delivering.hasFallenBack;
  }

  #takeOver(): void {
    const hints = this.#hints();
    this.#adopted = this.#adoptions.map((lines) => {
      const gate = new LineGate(this.#rule(), (count) => this.#warnOfUnprocessed(count));
      return new AdoptedLines(lines, gate, hints, (count, bytes, lost) => {
        this.#account.adopt({ count, bytes }, lost);
      });
    });
    this.#adoptions = [];
  }

  #take(): Batch | undefined {
    const raw =
      this.#takeAdopted() ??
      (this.#adopted.length > 0 ? undefined : (this.#loose[0]?.lines ?? this.#backlog.take()));
    if (!raw) {
      this.#delivering = undefined;
      this.#settleIfIdle();
      return undefined;
    }
    const staged = this.#stage(raw);
    this.#delivering = { raw, staged, hasFallenBack: false };
    this.#scheduleSummaries();
    if (staged.batch.count > 0) return staged.batch;
    // The stages left all of it out.
    this.#settle({ delivered: 0, dead: [], pending: undefined });
    return undefined;
  }

  /** What has no place in the log passes the stages that leave lines out. */
  #stage(raw: Batch): Staged {
    if (raw.position) return this.#stages.process(raw);
    return { batch: this.#stages.dress(raw), dropped: {} };
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

  #settle(delivery: Delivery): void {
    const delivering = this.#delivering;
    this.#delivering = undefined;
    if (delivery.pending || !delivering) return;
    const { raw, staged, hasFallenBack } = delivering;
    const { logId, seq: settledSeq } = raw.position ?? { logId: this.#options.logId, seq: 0 };
    const isAdopted = logId !== this.#options.logId;
    const refused = this.#refuse(staged.batch, delivery.dead);
    this.#account.settle({ raw, isAdopted, delivery, leftOut: staged.dropped, refused, hasFallenBack });
    if (!raw.position) this.#loose.shift()?.settled(true);
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
      if (batch.position && reason !== 'reader-gone') this.#account.rememberLetters(reason, count);
    }
    return outcome;
  }

  /** With nothing waiting, everything offered is settled; what is still counted as queued was lost with its segment. */
  #settleIfIdle(): void {
    if (!this.#backlog.isEmpty || this.#delivering || this.#adopted.length > 0 || this.#loose.length > 0)
      return;
    const { counters } = this.#options;
    const lost = counters.read('queued');
    if (lost > 0) this.#account.drop('disk-fault', { count: lost, bytes: counters.read('queuedBytes') });
    counters.update({ settledSeq: this.#offeredSeq });
  }

  /** Past `queue.maxBytes` the stream's policy acts; one that spills comes to it when the log is full. */
  #limitLag(): void {
    const { queue } = this.#options.config;
    const reason = queue.whenFull === 'spill' ? 'log-full' : 'queue-full';
    const inMemory = this.#backlog.memoryBytes;
    // The segments can't take it: what they have has been let go of already.
    if (inMemory > 2 * this.#options.windowBytes + IN_TRANSIT_BYTES)
      this.#account.drop('disk-fault', this.#backlog.dropOldest(inMemory / 4));
    while (this.#options.counters.read('queuedBytes') > queue.maxBytes) {
      // A little more than must go: else every line that comes would have all that waits looked through.
      const excess = this.#options.counters.read('queuedBytes') - queue.maxBytes + queue.maxBytes / 16;
      const dropped =
        queue.whenFull === 'drop-oldest' ? this.#backlog.dropOldest(excess) : this.#backlog.thin();
      if (dropped.count === 0) return;
      this.#account.drop(reason, dropped);
    }
  }

  /** Once the stream has caught up, its destination hears what it has missed, as a line of its own. */
  #tellDrops(): void {
    if (!this.#backlog.isEmpty || this.#adopted.length > 0) return;
    const untold = this.#account.takeUntold();
    if (untold.size === 0) return;
    const count = [...untold.values()].reduce((sum, each) => sum + each, 0);
    void this.#tell(dropNotice(untold, count));
    this.#options.report({ type: 'dropped', reason: [...untold.keys()].join(', '), count });
  }

  /** Sends lines that have no place in the log; tells whether they were delivered. */
  #tell(lines: Batch): Promise<boolean> {
    this.#account.accept(lines);
    return new Promise((settled) => {
      this.#loose.push({ lines, settled });
      this.#driver?.wake();
    });
  }

  /** Tells what stages have left out, as far as it is due; with Infinity all of it. */
  tellSummaries(nowMs: number): void {
    for (const summary of this.#stages.takeSummaries(nowMs)) void this.#tell(noticeOf(summary));
    this.#scheduleSummaries();
  }

  #scheduleSummaries(): void {
    const dueMs = this.#stages.dueMs();
    if (this.#summaryTimer || dueMs === Infinity || this.#closing.signal.aborted) return;
    const waitMs = Math.min(MAX_TIMER_MS, Math.max(SUMMARY_STEP_MS, dueMs - Date.now()));
    this.#summaryTimer = setTimeout(() => {
      this.#summaryTimer = undefined;
      this.tellSummaries(Date.now());
    }, waitMs).unref();
  }

  /** What was logged before is judged as it was to be then, though it may be offered only now. */
  #setRule(upToSeq: number): void {
    this.#gate.setRule(this.#rule(), Math.max(this.#offeredSeq, upToSeq) + 1);
  }

  #rule(): LineRule {
    const { config, root } = this.#options;
    return compileLineRule(config, { rootLevel: this.#rootLevel, directives: root.directives });
  }

  #warnOfUnprocessed(count: number): void {
    const reason =
      'lines were too complex for its filter or stages, and went on unfiltered or with their text replaced';
    this.#options.report({ type: 'warning', reason, count });
  }

  #hints(): BatchHints {
    return { ...DEFAULT_BATCH_HINTS, ...this.#transportHints, ...this.#options.config.batch };
  }

  #setState(state: StreamState): void {
    this.#options.counters.update({ state: STREAM_STATES.indexOf(state) });
  }
}

/** The lines of a batch that another one, made of it, does not have. */
function without(batch: Batch, others: Batch): Batch {
  const seqs = new Set(Array.from({ length: others.count }, (_, index) => others.seq(index)));
  return selectLines(
    batch,
    [...batch.levels.keys()].filter((index) => !seqs.has(batch.seq(index))),
  );
}

function stageConfigOf(stream: StreamConfig, root: PipelineConfig): unknown[] {
  const { sample, rateLimit, dedupe, redact, fields, format } = stream;
  const { redact: common, serviceVersion, environment } = root;
  return [sample, rateLimit, dedupe, redact, fields, format, common, serviceVersion, environment];
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

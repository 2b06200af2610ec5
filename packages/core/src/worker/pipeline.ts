import { messageOf, raceAbort, type SinkEvent } from '@treeline/contract';
import type { Damage } from '@treeline/spool';
import type { MessagePort } from 'node:worker_threads';
import { ControlBlock, StreamCounters } from '../control-block.ts';
import type {
  FlushResult,
  FromPipeline,
  OverrunReason,
  PipelineRequest,
  PipelineSpec,
  ReloadMessage,
  RetiredStream,
  StreamSpec,
  ToPipeline,
} from '../protocol.ts';
import { adoptFor, type Takeover } from './adoption.ts';
import { ARCHIVE_NAME, ArchiveThread } from './archive-thread.ts';
import { CursorKeeper } from './cursor-keeper.ts';
import { FanOut } from './fan-out.ts';
import { openSink } from './open-sink.ts';
import { RefusedRecords } from './refused-records.ts';
import { handOver, openSinks, ReloadFailure, waitsFor } from './reload.ts';
import { SegmentFrames } from './segment-frames.ts';
import { Stream, type OpenedSink } from './stream.ts';

/**
 * One logger's pipeline in the worker:
 *
 *     chunk ──► batch (scanned once) ──┬─► stream: level ► backlog ► sink
 *     segments ─┘                      ├─► stream …          ▲
 *                                      └─► stream …          └ from the segments where it lags; each settles at its own speed
 */
export class Pipeline {
  #spec: PipelineSpec;
  #rootLevel: number;
  readonly #port: MessagePort;
  readonly #control: ControlBlock;
  /** Those of the config, and those that were taken out of it until they have delivered what they have. */
  readonly #streams: Stream[];
  readonly #frames = new Map<Stream | 'fan-out', SegmentFrames>();
  readonly #cursors: CursorKeeper;
  readonly #fanOut: FanOut;
  readonly #archive: ArchiveThread | undefined;
  /** Comes when the pipeline is closed: what still runs for it ends. */
  readonly #ended = new AbortController();
  #takeover: Takeover | undefined;
  #overrunReason: OverrunReason = 'log-full';
  #closing: Promise<FlushResult> | undefined;

  constructor(spec: PipelineSpec, port: MessagePort) {
    this.#spec = spec;
    this.#rootLevel = spec.rootLevel;
    this.#port = port;
    this.#control = ControlBlock.attach(spec.control);
    let allowDelivery = (): void => undefined;
    const adopted = new Promise<void>((resolve) => {
      allowDelivery = resolve;
    });
    this.#streams = spec.streams.map((stream) => this.#createStream(stream, adopted));
    this.#cursors = new CursorKeeper(spec.logDirectory, this.#control, this.#streams);
    const frames = this.#openFrames();
    this.#frames.set('fan-out', frames);
    this.#fanOut = new FanOut({
      logId: spec.logId,
      memory: spec.memory,
      control: this.#control,
      streams: this.#streams,
      frames,
      missing: (firstSeq, lastSeq) => this.#miss(firstSeq, lastSeq),
      taken: () => {
        if (this.#control.takeFlag('wantsCredit')) this.#post({ type: 'credit' });
      },
      fanned: () => this.#publishSettled(),
    });
    this.#archive = this.#startArchive();
    void this.#adopt().finally(allowDelivery);
    port.on('message', (message: ToPipeline) => this.#receive(message));
    this.#fanOut.resume();
    for (const stream of this.#streams) if (stream.isRetired) void this.#drainRetired(stream);
  }

  #createStream(spec: StreamSpec, adopted: Promise<unknown>, open = () => this.#open(spec)): Stream {
    const { config, logId } = this.#spec;
    const frames = this.#openFrames();
    const stream = new Stream({
      id: spec.id,
      config: spec.config,
      logId,
      root: config,
      rootLevel: this.#rootLevel,
      counters: StreamCounters.attach(spec.counters),
      frames,
      spilledSeq: () => this.#control.read('spilledSeq'),
      lossReason: (seq) => (seq <= this.#control.read('overrunSeq') ? this.#overrunReason : 'disk-fault'),
      refused: new RefusedRecords(config, spec.config),
      windowBytes: config.windowBytes,
      adopted,
      open,
      untilSeq: spec.untilSeq,
      streamNamed: (name) => this.#streams.find((other) => other.name === name && !other.isRetired),
      settled: () => {
        this.#publishSettled();
        this.#fanOut.resume();
      },
      report: (event) => this.#report(spec, event),
    });
    this.#frames.set(stream, frames);
    return stream;
  }

  #open({ config }: StreamSpec): Promise<OpenedSink> {
    return openSink(config, {
      logIds: [this.#spec.logId],
      report: (event) => this.#report({ config }, event),
      ended: this.#ended.signal,
    });
  }

  #startArchive(): ArchiveThread | undefined {
    const { archive } = this.#spec.config;
    if (!archive) return undefined;
    return new ArchiveThread(archive, (event) =>
      this.#post({ type: 'status', status: { ...event, stream: ARCHIVE_NAME } }),
    );
  }

  #report({ config }: Pick<StreamSpec, 'config'>, event: SinkEvent): void {
    this.#post({ type: 'status', status: { ...event, stream: config.name } });
  }

  /** Opens all that is new, then changes everything in one step, then lets those that go deliver what they have. */
  async #reload(message: ReloadMessage): Promise<void> {
    const { id, streams: specs, handover } = message;
    try {
      const known = new Set(this.#streams.map((stream) => stream.id));
      const wanted = new Map(specs.map((spec) => [spec.id, spec]));
      const leaving = this.#streams.filter((stream) => !wanted.has(stream.id));
      const fresh = specs.filter((spec) => !known.has(spec.id));
      const sinks = await openSinks(
        fresh.filter((spec) => !waitsFor(spec, leaving)),
        (spec) => this.#open(spec),
      );
      const kept = this.#streams.filter((stream) => handover.includes(stream.id));
      await handOver(kept, wanted, (spec) => this.#open(spec)).catch(async (error: unknown) => {
        await Promise.allSettled([...sinks.values()].map(({ sink }) => sink.close()));
        throw error;
      });
      // Closed meanwhile: nothing new may begin, and nobody waits for an answer.
      if (this.#closing) {
        await Promise.allSettled([...sinks.values()].map(({ sink }) => sink.close()));
        return;
      }
      this.#swap(message, sinks, leaving);
    } catch (error) {
      if (!(error instanceof ReloadFailure)) throw error;
      this.#post({ type: 'reload-failed', id, stream: error.stream, reason: error.message });
    }
  }

  #swap(
    { id, config, rootLevel, upToSeq, streams: specs }: ReloadMessage,
    sinks: ReadonlyMap<number, OpenedSink>,
    leaving: readonly Stream[],
  ): void {
    this.#spec = { ...this.#spec, config, streams: specs };
    if (rootLevel !== undefined) this.#rootLevel = rootLevel;
    const retired: RetiredStream[] = [];
    const drained = new Map<Stream, Promise<void>>();
    for (const stream of leaving) {
      if (!stream.isRetired) retired.push({ id: stream.id, untilSeq: stream.retire(upToSeq) });
      drained.set(stream, this.#drainRetired(stream));
    }
    for (const spec of specs) {
      const stream = this.#streams.find((candidate) => candidate.id === spec.id);
      if (stream) {
        stream.setRootLevel(this.#rootLevel, upToSeq);
        stream.reconfigure(spec.config, config, upToSeq);
      } else this.#streams.push(this.#begin(spec, upToSeq, sinks.get(spec.id), drained));
    }
    this.#post({ type: 'swapped', id, retired });
    this.#publishSettled();
  }

  /** A new stream gets what was logged after `upToSeq`. */
  #begin(
    spec: StreamSpec,
    upToSeq: number,
    opened: OpenedSink | undefined,
    leaving: ReadonlyMap<Stream, Promise<void>>,
  ): Stream {
    StreamCounters.attach(spec.counters).update({
      settledSeq: Math.max(this.#control.read('fannedSeq'), upToSeq),
    });
    const before = waitsFor(spec, [...leaving.keys()]);
    let prepared = opened;
    return this.#createStream(spec, Promise.resolve(), async () => {
      // Two writers on one destination would mix its lines.
      if (before) await leaving.get(before);
      const ready = prepared;
      prepared = undefined;
      return ready ?? this.#open(spec);
    });
  }

  async #drainRetired(stream: Stream): Promise<void> {
    const { shutdownTimeoutMs } = this.#spec.config;
    await stream.drainRetired(shutdownTimeoutMs, this.#fanOut.reached(stream.untilSeq));
    const index = this.#streams.indexOf(stream);
    if (index === -1) return;
    this.#streams.splice(index, 1);
    this.#frames.get(stream)?.close();
    this.#frames.delete(stream);
    this.#post({ type: 'retired', streamId: stream.id });
    this.#publishSettled();
    this.#fanOut.resume();
  }

  #openFrames(): SegmentFrames {
    return new SegmentFrames(this.#spec.logDirectory, (damage) => this.#reportDamage(damage));
  }

  /** Must not reject: what can't be taken over now waits for the next start, and the streams for nothing. */
  async #adopt(): Promise<void> {
    const { config, adopterId } = this.#spec;
    try {
      this.#takeover = await adoptFor(config, this.#streams, adopterId);
    } catch (error) {
      const reason = `what earlier processes left can't be taken over: ${messageOf(error)}`;
      this.#reportToAll({ type: 'warning', reason });
      return;
    }
    for (const reason of this.#takeover.skipped)
      this.#reportToAll({ type: 'warning', reason: `a log was left alone: ${reason}` });
    if (this.#ended.signal.aborted) this.#takeover.close();
  }

  #receive(message: ToPipeline): void {
    switch (message.type) {
      case 'chunk':
        this.#fanOut.arrive(message);
        break;
      case 'wake':
        this.#fanOut.resume();
        break;
      case 'overrun':
        this.#overrun(message.reason);
        break;
      case 'drain':
        void this.#drain(message);
        break;
      case 'save':
        this.#cursors.save();
        this.#takeover?.save();
        this.#control.write('saved', message.token);
        this.#control.notify();
        break;
      case 'root-level':
        this.#rootLevel = message.level;
        for (const stream of this.#streams) stream.setRootLevel(message.level, message.upToSeq);
        break;
      case 'reload':
        void this.#reload(message);
        break;
      case 'request':
        void this.#answer(message.id, message.request);
        break;
    }
  }

  /** What every stream has settled leaves the main thread's window and, once written down, the segments. */
  #publishSettled(): void {
    let settledSeq = this.#control.read('fannedSeq');
    for (const stream of this.#streams) settledSeq = Math.min(settledSeq, stream.settledSeq);
    this.#control.write('settledSeq', settledSeq);
    this.#control.notify();
    this.#cursors.progress();
  }

  #miss(firstSeq: number, lastSeq: number): void {
    const overrunSeq = Math.min(lastSeq, this.#control.read('overrunSeq'));
    const overrun = Math.max(0, overrunSeq - firstSeq + 1);
    for (const stream of this.#streams) {
      if (overrun > 0) stream.miss(overrunSeq, overrun, this.#overrunReason);
      if (overrunSeq < lastSeq) stream.miss(lastSeq, lastSeq - firstSeq + 1 - overrun, 'disk-fault');
    }
  }

  #overrun(reason: OverrunReason): void {
    this.#overrunReason = reason;
    const overrunSeq = this.#control.read('overrunSeq');
    for (const stream of this.#streams) stream.overrun(overrunSeq, reason);
    this.#publishSettled();
  }

  #reportDamage({ reason, records, bytes, fromSeq }: Damage): void {
    // Given up by ourselves, and counted as such.
    if (reason === 'missing' && fromSeq <= this.#control.read('overrunSeq')) return;
    this.#reportToAll({
      type: 'warning',
      reason: `the log on disk is damaged (${reason}, ${bytes} bytes)`,
      count: records,
    });
  }

  #reportToAll(event: SinkEvent): void {
    for (const { name } of this.#streams) this.#post({ type: 'status', status: { ...event, stream: name } });
  }

  async #drain({ token, upToSeq }: { token: number; upToSeq: number }): Promise<void> {
    await this.#fanOut.reached(upToSeq);
    // The end may have come: nothing is told later.
    await Promise.allSettled(this.#streams.map((stream) => stream.flushAll()));
    this.#control.write('drained', token);
    this.#control.notify();
  }

  async #answer(id: number, request: PipelineRequest): Promise<void> {
    const result = await this.#perform(request);
    this.#post({ type: 'reply', id, result });
    if (request.type === 'close') this.#port.close();
  }

  #perform(request: PipelineRequest): Promise<FlushResult> {
    if (request.type === 'flush') return this.#flush(request);
    if (request.type === 'close') return this.#close(request);
    return this.#settleWithin(request.timeoutMs, (stream) => stream.reopen());
  }

  /** Waits for what was logged before the request: posted, or to be read from the segments. */
  #flush(
    { upToSeq, timeoutMs }: PipelineRequest,
    flush = (stream: Stream): Promise<void> => stream.flush(),
  ): Promise<FlushResult> {
    return this.#settleWithin(timeoutMs, async (stream) => {
      await this.#fanOut.reached(upToSeq);
      await flush(stream);
    });
  }

  #close(request: PipelineRequest): Promise<FlushResult> {
    this.#closing ??= this.#flush(request, (stream) => stream.flushAll()).then(async (result) => {
      await this.#settleWithin(request.timeoutMs, (stream) => stream.close());
      await this.#archive?.close();
      this.#ended.abort();
      this.#takeover?.close();
      this.#cursors.close();
      for (const frames of this.#frames.values()) frames.close();
      return result;
    });
    return this.#closing;
  }

  async #settleWithin(timeoutMs: number, act: (stream: Stream) => Promise<void>): Promise<FlushResult> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const outcomes = await Promise.all(
      this.#streams.map(async (stream) => {
        const acted = act(stream).then(
          () => 'flushed' as const,
          () => 'failed' as const,
        );
        const outcome = await raceAbort(acted, deadline);
        return [stream.name, outcome === 'aborted' ? ('timeout' as const) : outcome] as const;
      }),
    );
    const streams: Record<string, FlushResult['streams'][string]> = {};
    // A stream that goes and the one that takes its place have one name: what went wrong is told.
    for (const [name, outcome] of outcomes)
      if (streams[name] === undefined || outcome !== 'flushed') streams[name] = outcome;
    return { ok: outcomes.every(([, outcome]) => outcome === 'flushed'), streams };
  }

  #post(message: FromPipeline): void {
    this.#port.postMessage(message);
  }
}

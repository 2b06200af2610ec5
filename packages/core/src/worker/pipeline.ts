import { messageOf, parseLevel, raceAbort, type SinkEvent } from '@treeline/contract';
import type { Damage } from '@treeline/spool';
import type { MessagePort } from 'node:worker_threads';
import { ControlBlock } from '../control-block.ts';
import type {
  FlushResult,
  FromPipeline,
  OverrunReason,
  PipelineRequest,
  PipelineSpec,
  ToPipeline,
} from '../protocol.ts';
import { adoptFor, type Takeover } from './adoption.ts';
import { CursorKeeper } from './cursor-keeper.ts';
import { FanOut } from './fan-out.ts';
import { openSink } from './open-sink.ts';
import { RefusedRecords } from './refused-records.ts';
import { SegmentFrames } from './segment-frames.ts';
import { Stream } from './stream.ts';

/**
 * One logger's pipeline in the worker:
 *
 *     chunk ──► batch (scanned once) ──┬─► stream: level ► backlog ► sink
 *     segments ─┘                      ├─► stream …          ▲
 *                                      └─► stream …          └ from the segments where it lags; each settles at its own speed
 */
export class Pipeline {
  readonly #spec: PipelineSpec;
  readonly #port: MessagePort;
  readonly #control: ControlBlock;
  readonly #streams: readonly Stream[];
  readonly #frames: SegmentFrames[] = [];
  readonly #cursors: CursorKeeper;
  readonly #fanOut: FanOut;
  /** Comes when the pipeline is closed: what still runs for it ends. */
  readonly #ended = new AbortController();
  #takeover: Takeover | undefined;
  #overrunReason: OverrunReason = 'log-full';
  #closing: Promise<FlushResult> | undefined;

  constructor(spec: PipelineSpec, port: MessagePort) {
    this.#spec = spec;
    this.#port = port;
    this.#control = ControlBlock.attach(spec.control);
    let allowDelivery = (): void => undefined;
    const adopted = new Promise<void>((resolve) => {
      allowDelivery = resolve;
    });
    this.#streams = spec.config.streams.map((_, index) => this.#createStream(index, adopted));
    this.#cursors = new CursorKeeper(spec.logDirectory, this.#control, this.#streams);
    this.#fanOut = new FanOut({
      logId: spec.logId,
      memory: spec.memory,
      control: this.#control,
      streams: this.#streams,
      frames: this.#openFrames(),
      missing: (firstSeq, lastSeq) => this.#miss(firstSeq, lastSeq),
      taken: () => {
        if (this.#control.takeFlag('wantsCredit')) this.#post({ type: 'credit' });
      },
      fanned: () => this.#publishSettled(),
    });
    void this.#adopt().finally(allowDelivery);
    port.on('message', (message: ToPipeline) => this.#receive(message));
    this.#fanOut.resume();
  }

  #createStream(index: number, adopted: Promise<void>): Stream {
    const { config, logId } = this.#spec;
    const stream = config.streams[index];
    if (!stream) throw new RangeError(`stream index must be below ${config.streams.length}; got ${index}`);
    const report = (event: SinkEvent): void => {
      this.#post({ type: 'status', status: { ...event, stream: stream.name } });
    };
    return new Stream({
      config: stream,
      logId,
      rootLevel: parseLevel(config.level),
      counters: this.#control.stream(index),
      frames: this.#openFrames(),
      spilledSeq: () => this.#control.read('spilledSeq'),
      lossReason: (seq) => (seq <= this.#control.read('overrunSeq') ? this.#overrunReason : 'disk-fault'),
      refused: new RefusedRecords(config, stream),
      windowBytes: config.windowBytes,
      adopted,
      open: () => openSink(stream, { logIds: [logId], report, ended: this.#ended.signal }),
      settled: () => {
        this.#publishSettled();
        this.#fanOut.resume();
      },
      report,
    });
  }

  #openFrames(): SegmentFrames {
    const frames = new SegmentFrames(this.#spec.logDirectory, (damage) => this.#reportDamage(damage));
    this.#frames.push(frames);
    return frames;
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
        for (const stream of this.#streams) stream.setRootLevel(message.level);
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
    await Promise.allSettled(this.#streams.map((stream) => stream.flush()));
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
  #flush({ upToSeq, timeoutMs }: PipelineRequest): Promise<FlushResult> {
    return this.#settleWithin(timeoutMs, async (stream) => {
      await this.#fanOut.reached(upToSeq);
      await stream.flush();
    });
  }

  #close(request: PipelineRequest): Promise<FlushResult> {
    this.#closing ??= this.#flush(request).then(async (result) => {
      await this.#settleWithin(request.timeoutMs, (stream) => stream.close());
      this.#ended.abort();
      this.#takeover?.close();
      this.#cursors.close();
      for (const frames of this.#frames) frames.close();
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
    return {
      ok: outcomes.every(([, outcome]) => outcome === 'flushed'),
      streams: Object.fromEntries(outcomes),
    };
  }

  #post(message: FromPipeline): void {
    this.#port.postMessage(message);
  }
}

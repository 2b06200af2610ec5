import { parseLevel, raceAbort, type SinkEvent } from '@treeline/contract';
import type { MessagePort } from 'node:worker_threads';
import { ControlBlock } from '../control-block.ts';
import type { FlushResult, FromPipeline, PipelineRequest, PipelineSpec, ToPipeline } from '../protocol.ts';
import type { LogFrames } from './backlog.ts';
import { FanOut } from './fan-out.ts';
import { loadSink } from './load-sink.ts';
import { Stream } from './stream.ts';

/**
 * One logger's pipeline in the worker:
 *
 *     chunk ──► batch (scanned once) ──┬─► stream: level ► queue ► sink
 *                                      ├─► stream …
 *                                      └─► stream …        each settles at its own speed
 */
export class Pipeline {
  readonly #spec: PipelineSpec;
  readonly #port: MessagePort;
  readonly #control: ControlBlock;
  readonly #streams: readonly Stream[];
  readonly #fanOut: FanOut;
  #closing: Promise<FlushResult> | undefined;

  constructor(spec: PipelineSpec, port: MessagePort) {
    this.#spec = spec;
    this.#port = port;
    this.#control = ControlBlock.attach(spec.control);
    const rootLevel = parseLevel(spec.config.level);
    const frames: LogFrames = { next: () => undefined };
    this.#streams = spec.config.streams.map((config, index) => {
      const report = (event: SinkEvent): void => {
        this.#post({ type: 'status', status: { ...event, stream: config.name } });
      };
      return new Stream({
        config,
        logId: spec.logId,
        rootLevel,
        frames,
        spilledSeq: () => this.#control.read('spilledSeq'),
        counters: this.#control.stream(index),
        load: () => loadSink(config, [spec.logId], report),
        settled: () => {
          this.#publishSettled();
          this.#fanOut.resume();
        },
        report,
      });
    });
    this.#fanOut = new FanOut({
      logId: spec.logId,
      control: this.#control,
      streams: this.#streams,
      frames,
      missing: (firstSeq, lastSeq) => {
        for (const stream of this.#streams) stream.miss(lastSeq, lastSeq - firstSeq + 1);
      },
      taken: () => this.#post({ type: 'credit' }),
      fanned: () => this.#publishSettled(),
    });
    port.on('message', (message: ToPipeline) => this.#receive(message));
  }

  #receive(message: ToPipeline): void {
    switch (message.type) {
      case 'chunk':
        this.#fanOut.arrive(message);
        break;
      case 'drain':
        void this.#drain(message.token);
        break;
      case 'root-level':
        for (const stream of this.#streams) stream.setRootLevel(message.level);
        break;
      case 'request':
        void this.#answer(message.id, message.request);
        break;
    }
  }

  /** What every stream has settled leaves the main thread's window. */
  #publishSettled(): void {
    let settledSeq = this.#control.read('fannedSeq');
    for (const stream of this.#streams) settledSeq = Math.min(settledSeq, stream.settledSeq);
    this.#control.write('settledSeq', settledSeq);
    this.#control.notify();
  }

  async #drain(token: number): Promise<void> {
    await Promise.allSettled(this.#streams.map((stream) => stream.flush()));
    this.#control.write('drained', token);
    this.#control.notify();
  }

  async #answer(id: number, request: PipelineRequest): Promise<void> {
    const result = await (request.type === 'flush' ? this.#flush(request.timeoutMs) : this.#close(request.timeoutMs));
    this.#post({ type: 'reply', id, result });
    if (request.type === 'close') this.#port.close();
  }

  /** Chunks arrive before the request that follows them, so all that was logged before it has been offered. */
  #flush(timeoutMs: number): Promise<FlushResult> {
    return this.#settleWithin(timeoutMs, (stream) => stream.flush());
  }

  #close(timeoutMs: number): Promise<FlushResult> {
    this.#closing ??= this.#flush(timeoutMs).then(async (result) => {
      await this.#settleWithin(timeoutMs, (stream) => stream.close());
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


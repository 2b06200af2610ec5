import { createStderrReporter, parseLevel } from '@treeline/contract';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { PipelineConfig } from './config/config.ts';
import { ControlBlock } from './control-block.ts';
import { drainAtEnd, type EndCause } from './exit-hook.ts';
import { Lane } from './lane.ts';
import { closePipeline, openPipeline, type PipelineOwner } from './pipeline-host.ts';
import type { Chunk, FlushResult, FromPipeline, PipelineRequest, PipelineSpec, StreamStatus, ToPipeline } from './protocol.ts';
import { prepareStdio } from './stdio.ts';
import { readStreamStats, type LoggerStats } from './stats.ts';
import { Window } from './window.ts';

/** What may lie in the worker's port: an unbounded backlog was measured to grow by hundreds of megabytes. */
const CREDIT_BYTES = 4 * 1024 * 1024;

/** How much longer than the pipeline itself a request is waited for, should the worker be dead. */
const REPLY_GRACE_MS = 500;

/** How often a writer that waits looks for room: a full window holds far more than this time's work. */
const ROOM_POLL_MS = 5;

export interface PipelineClientOptions {
  /**
   * Whose lines come in (default `log-calls`). A log call that finds the window full blocks, and signals are drained for it; who
   * feeds `lines` awaits `room()` instead, and decides by itself what a signal does.
   */
  readonly feed?: 'log-calls' | 'lines';
}

interface PendingRequest {
  resolve(result: FlushResult): void;
  readonly timer: NodeJS.Timeout;
}

/** The main thread's side of one pipeline: takes pino's lines and answers for them until every stream has settled them. */
export class PipelineClient implements PipelineOwner {
  readonly spec: PipelineSpec;
  readonly #config: PipelineConfig;
  readonly #feed: 'log-calls' | 'lines';
  readonly #control: ControlBlock;
  readonly #window = new Window();
  readonly #lane = new Lane((chunk) => this.#send(chunk));
  readonly #requests = new Map<number, PendingRequest>();
  readonly #listeners = new Set<(status: StreamStatus) => void>();
  readonly #lastErrors = new Map<string, string>();
  readonly #reportToStderr = createStderrReporter();
  readonly #waits = { count: 0, totalMs: 0 };
  #port: MessagePort | undefined;
  #releaseExit: (() => void) | undefined;
  #postedBytes = 0;
  #nextId = 1;
  #exiting = false;
  #droppedAfterClose = 0;
  #closing: Promise<FlushResult> | undefined;
  #closed = false;
  #rootLevel: number;

  constructor(config: PipelineConfig, options: PipelineClientOptions = {}) {
    this.#config = config;
    this.#feed = options.feed ?? 'log-calls';
    this.#control = ControlBlock.create(config.streams.length);
    this.#rootLevel = parseLevel(config.level);
    this.spec = { logId: randomUUID(), config, control: this.#control.buffer };
  }

  /** pino's destination. */
  write(line: string): void {
    if (this.#closed) this.#droppedAfterClose++;
    else this.#lane.write(line);
  }

  /** Takes complete lines of another program, each with its line feed. */
  writeLines(text: string, count: number): void {
    if (this.#closed) this.#droppedAfterClose += count;
    else this.#lane.writeLines(text, count);
  }

  /** Resolves when the window has room, or the pipeline was closed. */
  async room(): Promise<void> {
    if (this.#hasRoom()) return;
    const startMs = performance.now();
    while (!this.#closed && !this.#hasRoom()) await sleep(ROOM_POLL_MS);
    this.#countWait(startMs);
  }

  /** Resolves when what was logged before is delivered as far as each sink promises, or the time is over; never rejects. */
  async flush(timeoutMs: number): Promise<FlushResult> {
    if (this.#closing) return this.#closing;
    return this.#request({ type: 'flush', timeoutMs });
  }

  /** Flushes, then gives every destination back; later log calls are counted and dropped. */
  close(timeoutMs: number): Promise<FlushResult> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  setRootLevel(level: number): void {
    this.#rootLevel = level;
    this.#post({ type: 'root-level', level });
  }

  /** Calls back for each event of each stream. Returns a function that ends it. */
  onStatus(listener: (status: StreamStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stats(): LoggerStats {
    const streams = this.#config.streams.map(
      ({ name }, index) =>
        [name, readStreamStats(this.#control.stream(index), this.#lastErrors.get(name))] as const,
    );
    return {
      accepted: this.#lane.lastSeq + this.#droppedAfterClose,
      underWay: this.#lane.lastSeq - this.#control.read('fannedSeq'),
      droppedAfterClose: this.#droppedAfterClose,
      streams: Object.fromEntries(streams),
      windowWaits: { ...this.#waits },
    };
  }

  attached(port: MessagePort): void {
    this.#port = port;
    this.#postedBytes = 0;
    this.#window.repost();
    port.on('message', (message: FromPipeline) => this.#receive(message));
    port.unref();
    this.setRootLevel(this.#rootLevel);
    this.#pump();
  }

  detached(reason: string): void {
    this.#port = undefined;
    this.#control.write('fannedBytes', 0);
    this.#control.write('fannedSeq', this.#control.read('settledSeq'));
    for (const { name } of this.#config.streams) this.#tell({ stream: name, type: 'down', reason });
    for (const id of [...this.#requests.keys()]) this.#reply(id, this.#everyStream('failed'));
  }

  #start(): void {
    prepareStdio(this.#config.streams);
    this.#releaseExit = drainAtEnd((cause) => this.#drainAtEnd(cause));
    openPipeline(this);
  }

  #send(chunk: Chunk): void {
    this.#window.push(chunk);
    if (!this.#releaseExit) this.#start();
    this.#pump();
    if (this.#exiting) this.#drain();
  }

  /** Lets go of what is settled and posts what there is credit for; a full window waits for room. */
  #pump(): void {
    if (this.#hasRoom() || this.#feed === 'lines') return;
    const startMs = performance.now();
    this.#control.waitUntil(() => this.#hasRoom(), startMs + this.#config.shutdownTimeoutMs);
    this.#countWait(startMs);
  }

  #countWait(startMs: number): void {
    this.#waits.count++;
    this.#waits.totalMs += performance.now() - startMs;
  }

  #hasRoom(): boolean {
    this.#window.release(this.#control.read('settledSeq'));
    while (this.#postedBytes - this.#control.read('fannedBytes') < CREDIT_BYTES && this.#postNext());
    return this.#window.bytes <= this.#config.windowBytes;
  }

  #postNext(): boolean {
    const chunk = this.#port && this.#window.takeUnposted();
    if (!chunk) return false;
    this.#postedBytes += chunk.text.length;
    this.#post({ type: 'chunk', ...chunk });
    return true;
  }

  #post(message: ToPipeline): void {
    this.#port?.postMessage(message);
  }

  #drainAtEnd(cause: EndCause): void {
    if (cause === 'signal' && this.#feed === 'lines') return;
    this.#lane.close();
    this.#drain();
    if (cause === 'signal') return;
    // Exit handlers that run after this may log: each of their lines is drained by itself.
    this.#exiting = true;
    this.#lane.immediate = true;
  }

  /** Blocks until every stream has flushed, for no longer than `shutdown.timeout`. */
  #drain(): void {
    if (this.#closed) return;
    while (this.#postNext());
    const token = this.#nextId++;
    this.#post({ type: 'drain', token });
    const deadlineMs = performance.now() + this.#config.shutdownTimeoutMs;
    if (this.#control.waitUntil(() => this.#control.read('drained') >= token, deadlineMs)) return;
    const { streams } = this.stats();
    for (const [stream, { queued }] of Object.entries(streams)) {
      const reason = `not delivered within ${this.#config.shutdownTimeoutMs} ms of the end (shutdown.timeout)`;
      if (queued > 0) this.#tell({ stream, type: 'dropped', reason, count: queued });
    }
  }

  async #close(timeoutMs: number): Promise<FlushResult> {
    const result = await this.#request({ type: 'close', timeoutMs });
    this.#closed = true;
    this.#releaseExit?.();
    this.#port?.close();
    await closePipeline(this);
    return result;
  }

  async #request(request: PipelineRequest): Promise<FlushResult> {
    this.#lane.close();
    if (!this.#releaseExit) return this.#everyStream('flushed');
    while (this.#postNext());
    const id = this.#nextId++;
    // An idle process would end before the answer comes.
    this.#port?.ref();
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => this.#reply(id, this.#everyStream('timeout')),
        request.timeoutMs + REPLY_GRACE_MS,
      );
      this.#requests.set(id, { resolve, timer });
      this.#post({ type: 'request', id, request });
    });
  }

  #receive(message: FromPipeline): void {
    switch (message.type) {
      case 'reply':
        this.#reply(message.id, message.result);
        break;
      case 'status':
        this.#tell(message.status);
        break;
      case 'credit':
        this.#hasRoom();
        break;
    }
  }

  #reply(id: number, result: FlushResult): void {
    const request = this.#requests.get(id);
    if (!request) return;
    this.#requests.delete(id);
    clearTimeout(request.timer);
    if (this.#requests.size === 0) this.#port?.unref();
    request.resolve(result);
  }

  #everyStream(outcome: 'flushed' | 'timeout' | 'failed'): FlushResult {
    const streams = this.#config.streams.map(({ name }) => [name, outcome] as const);
    return { ok: outcome === 'flushed' || streams.length === 0, streams: Object.fromEntries(streams) };
  }

  #tell(status: StreamStatus): void {
    if (status.type === 'down') this.#lastErrors.set(status.stream, status.reason);
    if (status.type !== 'up') this.#reportToStderr(status.stream, status);
    for (const listener of this.#listeners) listener(status);
  }
}

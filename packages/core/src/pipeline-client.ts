import { createStderrReporter, parseLevel } from '@treeline/contract';
import { setTimeout as sleep } from 'node:timers/promises';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { PipelineConfig } from './config/config.ts';
import { ControlBlock } from './control-block.ts';
import { drainAtEnd, type EndCause } from './exit-hook.ts';
import { Lane } from './lane.ts';
import { closePipeline, openPipeline, type PipelineOwner } from './pipeline-host.ts';
import type { Chunk, FlushResult, FromPipeline, PipelineRequest, PipelineSpec, StreamStatus, ToPipeline } from './protocol.ts';
import { Spill } from './spill.ts';
import { prepareStdio } from './stdio.ts';
import { streamKey } from './stream-key.ts';
import { readStreamStats, type LoggerStats } from './stats.ts';
import { Window } from './window.ts';

/** What may lie in the worker's port: an unbounded backlog was measured to grow by hundreds of megabytes. */
const CREDIT_BYTES = 4 * 1024 * 1024;

/** How long the end waits for the cursors to be written, when the streams were not done in time. */
const SAVE_WITHIN_MS = 250;

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
  readonly #isDurable: boolean;
  #spill: Spill;
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
  #isStarted = false;
  #exiting = false;
  #droppedAfterClose = 0;
  #closing: Promise<FlushResult> | undefined;
  #closed = false;
  #rootLevel: number;

  constructor(config: PipelineConfig, options: PipelineClientOptions = {}) {
    this.#config = config;
    this.#feed = options.feed ?? 'log-calls';
    this.#isDurable = config.durability !== 'none';
    this.#control = ControlBlock.create(config.streams.length);
    this.#rootLevel = parseLevel(config.level);
    this.#spill = new Spill(config);
    const { logId, directory } = this.#spill;
    this.spec = { logId, logDirectory: directory, config, control: this.#control.buffer };
  }

  /** pino's destination. */
  write(line: string): void {
    this.writeLines(line, 1);
  }

  /** Takes complete lines of another program, each with its line feed. */
  writeLines(text: string, count: number): void {
    if (this.#closed) {
      this.#droppedAfterClose += count;
      return;
    }
    this.#releaseExit ??= drainAtEnd((cause) => this.#drainAtEnd(cause));
    if (this.#isDurable) this.#writeThrough(text, count);
    this.#lane.writeLines(text, count);
  }

  /** Resolves when the window has room, or the pipeline was closed. */
  async room(): Promise<void> {
    const hasRoom = (): boolean => this.#closed || this.#window.bytes <= this.#config.windowBytes / 2;
    this.#advance();
    if (hasRoom()) return;
    const startMs = performance.now();
    for (; !hasRoom(); this.#advance()) await sleep(ROOM_POLL_MS);
    this.#waits.count++;
    this.#waits.totalMs += performance.now() - startMs;
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
    this.#control.write('idle', 0);
    for (const index of this.#config.streams.keys()) this.#control.stream(index).forgetQueued();
    for (const { name } of this.#config.streams) this.#tell({ stream: name, type: 'down', reason });
    for (const id of [...this.#requests.keys()]) this.#reply(id, this.#everyStream('failed'));
  }

  #start(): void {
    prepareStdio(this.#config.streams);
    this.#isStarted = true;
    openPipeline(this);
  }

  #send(chunk: Chunk): void {
    this.#window.push(chunk);
    if (!this.#isStarted) this.#start();
    this.#pump();
    if (this.#exiting) this.#drain();
  }

  /** With durability, lines are in the segments before the call returns. */
  #writeThrough(text: string, count: number): void {
    const firstSeq = this.#lane.lastSeq + 1;
    if (this.#spill.append({ firstSeq, count, text }) === 'appended') {
      this.#control.write('spilledSeq', firstSeq + count - 1);
    }
  }

  /** Lets go of what is settled, posts what there is credit for, and spills what the window can't hold. */
  #pump(): void {
    this.#advance();
    while (this.#window.bytes > this.#config.windowBytes && this.#spillOldest());
  }

  #advance(): void {
    this.#window.release(this.#control.read('settledSeq'));
    while (this.#postedBytes - this.#control.read('fannedBytes') < CREDIT_BYTES && this.#postNext());
    // Written through: the segments have it, whether or not it was posted.
    if (this.#isDurable) this.#letGoOfSpilled();
    if (this.#spill.bytes > 0) this.#spill.release(this.#control.read('savedSeq'));
  }

  #letGoOfSpilled(): void {
    const spilledSeq = this.#control.read('spilledSeq');
    for (let chunk = this.#window.oldest; chunk; chunk = this.#window.oldest) {
      if (chunk.firstSeq + chunk.count - 1 > spilledSeq) return;
      this.#shiftSpilled();
    }
  }

  #shiftSpilled(): void {
    const needsReading = this.#window.isOldestUnposted;
    this.#window.shift();
    if (needsReading && this.#control.takeIdle()) this.#post({ type: 'wake' });
  }

  /** Moves the oldest chunk of the window into the segments; false where they can't take it. */
  #spillOldest(): boolean {
    const chunk = this.#window.oldest;
    if (!chunk) return false;
    const outcome = this.#spill.append(chunk);
    if (outcome === 'appended') {
      this.#control.write('spilledSeq', chunk.firstSeq + chunk.count - 1);
      this.#shiftSpilled();
      return true;
    }
    if (outcome === 'full') this.#post({ type: 'log-full' });
    // Neither disk nor memory may grow: the worker counts what it never gets for every stream.
    if (this.#window.bytes > 2 * this.#config.windowBytes) this.#window.shift();
    return false;
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
    // Exit handlers that run after this may log: each of their lines is drained by itself.
    this.#exiting = cause === 'exit';
    this.#lane.immediate = this.#exiting;
    this.#drain();
  }

  /** Blocks until every stream has flushed, for no longer than `shutdown.timeout`; what is left then waits for the next start. */
  #drain(): void {
    if (this.#closed) return;
    while (this.#postNext());
    const token = this.#nextId++;
    this.#post({ type: 'drain', token });
    const deadlineMs = performance.now() + this.#config.shutdownTimeoutMs;
    const isDrained = this.#control.waitUntil(() => this.#control.read('drained') >= token, deadlineMs);
    this.#window.release(this.#control.read('settledSeq'));
    if (!isDrained) this.#keepForNextStart();
    if (this.#exiting) this.#endSpill();
  }

  #keepForNextStart(): void {
    while (this.#spillOldest());
    const token = this.#nextId++;
    this.#post({ type: 'save', token });
    this.#control.waitUntil(() => this.#control.read('saved') >= token, performance.now() + SAVE_WITHIN_MS);
    this.#receiveWaiting();
    for (const [stream, { queued }] of Object.entries(this.stats().streams)) {
      if (queued > 0) this.#tell({ stream, type: 'warning', reason: this.#keptReason(), count: queued });
    }
  }

  #keptReason(): string {
    const { shutdownTimeoutMs, stateDirectory } = this.#config;
    return `not delivered within ${shutdownTimeoutMs} ms (shutdown.timeout), kept in ${stateDirectory} for the next start`;
  }

  /** In `exit` no message event comes any more: what the worker has said, as why a stream is down, is fetched. */
  #receiveWaiting(): void {
    for (let next = this.#takeMessage(); next; next = this.#takeMessage()) this.#receive(next);
  }

  #takeMessage(): FromPipeline | undefined {
    const received = this.#port && receiveMessageOnPort(this.#port);
    return received?.message as FromPipeline | undefined;
  }

  /** Leaves what is not settled to the next start. Exit handlers may still log: their lines find a log of their own. */
  #endSpill(): void {
    const isSettled = this.#control.read('settledSeq') >= this.#lane.lastSeq;
    if (!isSettled) {
      while (this.#spillOldest());
      if (this.#closed) this.#spill.saveCursors(this.#settledSeqs());
    }
    this.#spill.end(isSettled);
    this.#spill = new Spill(this.#config);
  }

  #settledSeqs(): Map<string, number> {
    return new Map(
      this.#config.streams.map((stream, index) => [
        streamKey(stream),
        this.#control.stream(index).read('settledSeq'),
      ]),
    );
  }

  async #close(timeoutMs: number): Promise<FlushResult> {
    const result = await this.#request({ type: 'close', timeoutMs });
    this.#closed = true;
    this.#endSpill();
    this.#releaseExit?.();
    this.#port?.close();
    await closePipeline(this);
    return result;
  }

  async #request(request: PipelineRequest): Promise<FlushResult> {
    this.#lane.close();
    if (!this.#isStarted) return this.#everyStream('flushed');
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
        this.#advance();
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

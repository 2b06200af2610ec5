import { createStderrReporter, messageOf, parseLevel, TreelineError } from '@treeline/contract';
import { createOwnerId } from '@treeline/spool';
import { setTimeout as sleep } from 'node:timers/promises';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { PipelineConfig } from './config/config.ts';
import type { ReloadPlan } from './config/reload-plan.ts';
import { notReloaded } from './config-reloader.ts';
import { ControlBlock } from './control-block.ts';
import { drainAtEnd, onHangUp, type EndCause } from './exit-hook.ts';
import { Log } from './log.ts';
import { closePipeline, openPipeline, type PipelineOwner } from './pipeline-host.ts';
import type {
  FlushResult,
  FromPipeline,
  PipelineRequest,
  PipelineSpec,
  RetiredStream,
  ReopenResult,
  StreamStatus,
  ToPipeline,
} from './protocol.ts';
import type { LogStats, StreamStats } from './stats.ts';
import { StreamSet } from './stream-set.ts';
import { prepareStdio } from './stdio.ts';
import { checkTimeLimit } from './time-limit.ts';

/** How long the end waits for the cursors to be written, when the streams were not done in time. */
const SAVE_WITHIN_MS = 250;

/** How long the streams may take to open their files anew at SIGHUP. */
const REOPEN_WITHIN_MS = 10_000;

/** How much longer than the pipeline itself a request is waited for, should the worker be dead. */
const REPLY_GRACE_MS = 500;

/** How often a writer that waits looks for room: a full window holds far more than this time's work. */
const ROOM_POLL_MS = 5;

export interface PipelineClientOptions {
  /**
   * Whose lines come in (default `log-calls`). Signals are drained for log calls; who feeds `lines` awaits `room()`, and decides by
   * itself what a signal does.
   */
  readonly feed?: 'log-calls' | 'lines';
}

export interface ReloadOptions {
  /** The root level where the config changes it (default: what the config says). */
  readonly rootLevel?: number;
  /** Called when the new config is in force, while the streams that went still deliver. */
  swapped?(): void;
}

interface PendingRequest {
  readonly request: PipelineRequest;
  resolve(result: FlushResult): void;
  readonly timer: NodeJS.Timeout;
}

interface PendingReload {
  readonly id: number;
  reject(error: Error): void;
  swapped(retired: readonly RetiredStream[]): void;
  /** To be called when a stream that went is done. */
  retired(): void;
}

/** The main thread's side of one pipeline: feeds its log, asks it to flush and close, and hears how its streams are. */
export class PipelineClient implements PipelineOwner {
  #config: PipelineConfig;
  readonly #streams: StreamSet;
  readonly #feed: 'log-calls' | 'lines';
  readonly #control: ControlBlock;
  readonly #requests = new Map<number, PendingRequest>();
  readonly #listeners = new Set<(status: StreamStatus) => void>();
  readonly #lastErrors = new Map<string, string>();
  readonly #reportToStderr = createStderrReporter();
  readonly #adopterId = createOwnerId();
  /** Made with the first line: a logger that is never used takes no memory. */
  #log: Log | undefined;
  #port: MessagePort | undefined;
  #releaseEnd: (() => void) | undefined;
  readonly #releaseHangUp: () => void;
  #nextId = 1;
  #isExiting = false;
  #finishedSeq = 0;
  /** Up to here records that are lost have been counted: each line in `exit` is drained by itself. */
  #lostSeq = 0;
  /** The end's time limit holds for all loggers and exit handlers together. */
  #endStartedMs = 0;
  #droppedAfterClose = 0;
  #closing: Promise<FlushResult> | undefined;
  #reload: PendingReload | undefined;
  #isClosed = false;
  #rootLevel: number;

  constructor(config: PipelineConfig, options: PipelineClientOptions = {}) {
    this.#config = config;
    this.#feed = options.feed ?? 'log-calls';
    this.#control = ControlBlock.create();
    this.#streams = new StreamSet(config.streams);
    this.#rootLevel = parseLevel(config.level);
    this.#releaseHangUp = onHangUp(() => void this.reopen(REOPEN_WITHIN_MS));
  }

  get spec(): PipelineSpec {
    const { id, directory, memory } = this.#open();
    return {
      logId: id,
      logDirectory: directory,
      memory,
      config: this.#config,
      rootLevel: this.#rootLevel,
      control: this.#control.buffer,
      streams: this.#streams.specs,
      adopterId: this.#adopterId,
    };
  }

  get config(): PipelineConfig {
    return this.#config;
  }

  /** pino's destination. */
  write(line: string): void {
    this.writeLines(line, 1);
  }

  /** Takes complete lines, each with its line feed. */
  writeLines(text: string, count: number): void {
    if (this.#closing) {
      this.#droppedAfterClose += count;
      return;
    }
    const log = this.#log ?? this.#open();
    log.write(text, count);
    if (this.#isExiting) this.#drain(log)?.();
  }

  /** Opens the pipeline without waiting for the first line. */
  begin(): void {
    this.#open().begin();
  }

  /** Whether half of the window is free, or the pipeline was closed. */
  hasRoom(): boolean {
    this.#log?.advance();
    return this.#isClosed || (this.#log?.usedBytes ?? 0) <= this.#config.windowBytes / 2;
  }

  /** Resolves when there is room. */
  async room(): Promise<void> {
    while (!this.hasRoom()) await sleep(ROOM_POLL_MS);
  }

  /** Resolves when what was logged before is delivered as far as each sink promises, or the time is over; never rejects. */
  async flush(timeoutMs: number): Promise<FlushResult> {
    return this.#closing ?? this.#request('flush', checkTimeLimit(timeoutMs));
  }

  /** Makes every stream open its file anew, whatever waits to be written; never rejects. */
  async reopen(timeoutMs: number): Promise<ReopenResult> {
    const { ok, streams } = await (this.#closing ?? this.#request('reopen', checkTimeLimit(timeoutMs)));
    const outcomes = Object.entries(streams).map(
      ([name, outcome]) => [name, outcome === 'flushed' ? 'reopened' : outcome] as const,
    );
    return { ok, streams: Object.fromEntries(outcomes) };
  }

  /** Flushes, then gives every destination back; later log calls are counted and dropped. */
  close(timeoutMs: number): Promise<FlushResult> {
    this.#closing ??= this.#close(checkTimeLimit(timeoutMs));
    return this.#closing;
  }

  setRootLevel(level: number): void {
    // What was logged before may begin the pipeline, with the level that it was logged under.
    if (level !== this.#rootLevel) this.#log?.closeChunk();
    this.#rootLevel = level;
    this.#post({ type: 'root-level', level, upToSeq: this.#log?.lastSeq ?? 0 });
  }

  /**
   * Puts another config in the place of this one, as far as that is possible without a new process, and resolves when the streams that
   * went have delivered what they had: what became of their records. What was logged before is the old config's. One at a time.
   *
   * @throws TreelineError DESTINATION_UNUSABLE where a destination can't be opened, CLOSED where the pipeline is closed meanwhile; the old
   * config then holds as a whole.
   */
  async reload(
    next: PipelineConfig,
    plan: ReloadPlan,
    options: ReloadOptions = {},
  ): Promise<Readonly<Record<string, StreamStats>>> {
    const rootLevel = plan.live.includes('level') ? (options.rootLevel ?? parseLevel(next.level)) : undefined;
    this.#log?.closeChunk();
    const config = { ...next, ...pick(this.#config, plan.restart) };
    const log = this.#log;
    if (!log?.hasBegun) {
      this.#config = config;
      this.#streams.replace(config.streams);
      this.#rootLevel = rootLevel ?? this.#rootLevel;
      options.swapped?.();
      return {};
    }
    while (!this.#port && !this.#closing) await sleep(ROOM_POLL_MS);
    if (this.#closing) throw notReloaded();
    prepareStdio(config.streams);
    const planned = this.#streams.plan(config.streams, plan);
    const id = this.#nextId++;
    const retired = await new Promise<Readonly<Record<string, StreamStats>>>((resolve, reject) => {
      this.#reload = {
        id,
        reject,
        swapped: (streams) => {
          this.#config = config;
          this.#rootLevel = rootLevel ?? this.#rootLevel;
          this.#streams.swap(planned.specs, streams);
          options.swapped?.();
        },
        retired: () => {
          const left = this.#streams.retiredStats(planned.leaving);
          if (left) resolve(left);
        },
      };
      this.#port?.ref();
      log.postAll();
      this.#post({
        type: 'reload',
        id,
        config,
        rootLevel,
        upToSeq: log.reachableSeq,
        streams: planned.specs,
        handover: planned.handover,
      });
    }).finally(() => {
      this.#reload = undefined;
      if (this.#requests.size === 0) this.#port?.unref();
    });
    return retired;
  }

  #swapped(id: number, retired: readonly RetiredStream[]): void {
    if (this.#reload?.id !== id) return;
    this.#reload.swapped(retired);
    this.#reload.retired();
  }

  /** Calls back for each event of each stream. Returns a function that ends it. */
  onStatus(listener: (status: StreamStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stats(): LogStats {
    const written = this.#log?.lastSeq ?? 0;
    return {
      accepted: written + this.#droppedAfterClose,
      underWay: written - this.#control.read('fannedSeq'),
      droppedAfterClose: this.#droppedAfterClose,
      cutLines: this.#log?.cutLines ?? 0,
      streams: this.#streams.stats(this.#lastErrors),
    };
  }

  attached(port: MessagePort): void {
    this.#port = port;
    port.on('message', (message: FromPipeline) => this.#receive(message));
    port.unref();
    this.setRootLevel(this.#rootLevel);
    this.#log?.repost();
    if (this.#requests.size === 0) return;
    this.#log?.postAll();
    port.ref();
    const upToSeq = this.#log?.reachableSeq ?? 0;
    for (const [id, { request }] of this.#requests)
      this.#post({ type: 'request', id, request: { ...request, upToSeq } });
  }

  detached(reason: string): void {
    this.#port = undefined;
    this.#control.write('fannedBytes', 0);
    this.#control.write('fannedSeq', this.#control.read('settledSeq'));
    this.#control.write('idle', 0);
    this.#streams.forgetQueued();
    this.#reload?.reject(new TreelineError('THREAD_DIED', `not reloaded: ${reason}`));
    for (const { name } of this.#config.streams) this.#tell({ stream: name, type: 'down', reason });
    for (const id of this.#requests.keys()) this.#reply(id, this.#everyStream('failed'));
  }

  get #isInProcess(): boolean {
    return this.#config.mode === 'in-process';
  }

  /** In-process, what is under way keeps no loop alive by itself: at its end there is time to finish. */
  readonly #finish = (): void => {
    const log = this.#log;
    if (!log || log.isSettled || log.lastSeq === this.#finishedSeq) return;
    // Tried once: what a stuck destination doesn't take is kept for the next start.
    this.#finishedSeq = log.lastSeq;
    void this.flush(this.#config.shutdownTimeoutMs);
  };

  #open(): Log {
    if (this.#log) return this.#log;
    this.#log = new Log({
      config: this.#config,
      control: this.#control,
      settledSeqs: () => this.#settledSeqs(),
      undurable: (reason) => this.#tellUndurable(reason),
      post: (message) => this.#post(message),
      begin: () => {
        prepareStdio(this.#config.streams);
        openPipeline(this);
      },
    });
    const releaseDrain = drainAtEnd((cause, startedMs) => this.#drainAtEnd(cause, startedMs));
    if (this.#isInProcess) process.on('beforeExit', this.#finish);
    this.#releaseEnd = () => {
      releaseDrain();
      process.removeListener('beforeExit', this.#finish);
    };
    return this.#log;
  }

  #post(message: ToPipeline): boolean {
    this.#port?.postMessage(message);
    return this.#port !== undefined;
  }

  #drainAtEnd(cause: EndCause, startedMs: number): (() => void) | undefined {
    const log = this.#log;
    if (!log || (cause === 'signal' && this.#feed === 'lines')) return undefined;
    log.closeChunk();
    // Exit handlers that run after this may log: each of their lines is drained by itself.
    this.#endStartedMs = startedMs;
    this.#isExiting = cause === 'exit';
    log.isImmediate = this.#isExiting;
    return this.#drain(log);
  }

  /**
   * Asks every stream to flush. What it returns blocks until they have, for no longer than `shutdown.timeout`; what is left then waits
   * for the next start.
   */
  #drain(log: Log): (() => void) | undefined {
    if (this.#isClosed || !log.hasBegun) return undefined;
    if (this.#isInProcess) {
      // This thread would wait for itself.
      if (log.isSettled) log.clear();
      else {
        log.spillAll();
        log.saveCursors();
        this.#countLost(log);
        this.#tellKept();
      }
      return undefined;
    }
    log.postAll();
    const token = this.#nextId++;
    this.#post({ type: 'drain', token, upToSeq: log.reachableSeq });
    const deadlineMs = this.#endStartedMs + this.#config.shutdownTimeoutMs;
    return () => {
      // Without a worker nobody would answer, and none is started any more.
      const isDrained =
        this.#port !== undefined &&
        this.#control.waitUntil(() => this.#control.read('drained') >= token, deadlineMs);
      if (!isDrained || (this.#isExiting && !log.isSettled)) this.#keepForNextStart(log);
      else if (this.#isExiting) log.clear();
    };
  }

  #keepForNextStart(log: Log): void {
    log.spillAll();
    const token = this.#nextId++;
    this.#post({ type: 'save', token });
    const deadlineMs = performance.now() + SAVE_WITHIN_MS;
    if (!this.#control.waitUntil(() => this.#control.read('saved') >= token, deadlineMs)) log.saveCursors();
    this.#receiveWaiting();
    // A signal may be survived: nothing is lost yet.
    if (this.#isExiting) this.#countLost(log);
    this.#tellKept();
  }

  #tellUndurable(cause: string): void {
    const reason = `lines are not on disk when their call returns, as durability promises: ${cause}`;
    for (const { name } of this.#config.streams) this.#tell({ stream: name, type: 'warning', reason });
  }

  /** What the end leaves neither delivered nor on disk: segments that were given up for newer ones, and what no segment took. */
  #countLost(log: Log): void {
    const givenUp = { fromSeq: 1, toSeq: this.#control.read('overrunSeq'), isPartlyCounted: true };
    const unkept = { fromSeq: log.unkeptFromSeq ?? Infinity, toSeq: log.lastSeq, isPartlyCounted: false };
    for (const range of [givenUp, unkept]) {
      const fromSeq = Math.max(range.fromSeq, this.#lostSeq + 1);
      if (fromSeq > range.toSeq) continue;
      this.#lostSeq = range.toSeq;
      const offeredSeq = this.#control.read('fannedSeq');
      const lost = this.#streams.lose({ ...range, fromSeq, offeredSeq, reason: log.refusal });
      for (const [stream, count] of lost)
        this.#tell({ stream, type: 'dropped', reason: this.#lostReason(log), count });
    }
  }

  #lostReason({ refusal, lastError }: Log): string {
    const { stateDirectory } = this.#config;
    const why =
      refusal === 'log-full' ? 'the log has reached spool.maxBytes' : (lastError ?? 'it takes no more');
    return `${refusal}: not delivered before the end, and not kept in ${stateDirectory} either: ${why}`;
  }

  #tellKept(): void {
    for (const [stream, { queued }] of Object.entries(this.stats().streams)) {
      if (queued > 0) this.#tell({ stream, type: 'warning', reason: this.#keptReason(), count: queued });
    }
  }

  #keptReason(): string {
    const { shutdownTimeoutMs, stateDirectory } = this.#config;
    if (this.#isInProcess)
      return `not delivered before the end, kept in ${stateDirectory} for the next start`;
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

  async #close(timeoutMs: number): Promise<FlushResult> {
    const result = await this.#request('close', timeoutMs);
    this.#isClosed = true;
    this.#reload?.reject(notReloaded());
    this.#releaseHangUp();
    if (this.#log?.hasBegun) {
      this.#log.close();
      this.#countLost(this.#log);
    }
    this.#releaseEnd?.();
    this.#port?.close();
    closePipeline(this);
    return result;
  }

  #settledSeqs(): Map<string, number> {
    return this.#streams.settledSeqs();
  }

  async #request(type: PipelineRequest['type'], timeoutMs: number): Promise<FlushResult> {
    const log = this.#log;
    log?.closeChunk();
    if (!log?.hasBegun) return this.#everyStream('flushed');
    log.postAll();
    const request: PipelineRequest = { type, upToSeq: log.reachableSeq, timeoutMs };
    const id = this.#nextId++;
    // An idle process would end before the answer comes.
    this.#port?.ref();
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => this.#reply(id, this.#everyStream('timeout')),
        timeoutMs + REPLY_GRACE_MS,
      );
      this.#requests.set(id, { request, resolve, timer });
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
      case 'swapped':
        this.#swapped(message.id, message.retired);
        break;
      case 'reload-failed':
        if (this.#reload?.id === message.id)
          this.#reload.reject(
            new TreelineError(
              'DESTINATION_UNUSABLE',
              `not reloaded: the stream ${JSON.stringify(message.stream)}: ${message.reason}`,
            ),
          );
        break;
      case 'retired':
        this.#streams.finish(message.streamId);
        this.#reload?.retired();
        break;
      case 'credit':
        this.#log?.advance();
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
    for (const listener of this.#listeners) {
      try {
        listener(status);
      } catch (error) {
        // It may be called within a log call or in `exit`, where nobody expects it to throw.
        this.#reportToStderr(status.stream, {
          type: 'warning',
          reason: `an onStatus listener has thrown: ${messageOf(error)}`,
        });
      }
    }
  }
}

function pick<T extends object>(from: T, keys: readonly (keyof T)[]): Partial<T> {
  return Object.fromEntries(keys.map((key) => [key, from[key]])) as Partial<T>;
}

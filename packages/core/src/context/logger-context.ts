import type { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Logger } from 'pino';
import { requireBuilt } from '../built-file.ts';
import type { PipelineConfig } from '../config/config.ts';
import type { ErrorLog, ErrorStatistics, LoggedError } from '../errors/error-log.ts';
import { serializeError } from '../errors/serialize-error.ts';
import type { LogCallHooks } from '../guard.ts';
import type { LevelControl } from '../levels/level-control.ts';
import type { ActiveRequestInfo, RequestStats, RequestTracker } from '../requests/request-tracker.ts';
import type { StreamOptions, TrackableStream } from '../streams/track-stream.ts';
import type { Attributes } from './attributes.ts';
import type { ActiveSpanInfo, Span, SpanOptions, SpanStats } from './span.ts';
import type { SpanTracker } from './span-tracker.ts';

const MAX_ERROR_HISTORY = 100;
const HOUR_MS = 3_600_000;

type ChunkOf<Source> =
  Source extends ReadableStream<infer Chunk>
    ? Chunk
    : Source extends AsyncIterable<infer Chunk>
      ? Chunk
      : never;

/** A stream of the same kind; of what is only an iterable, its iterator. */
export type TrackedStream<Source> = Source extends Readable
  ? Readable
  : Source extends ReadableStream<infer Chunk>
    ? ReadableStream<Chunk>
    : Source extends AsyncIterable<infer Chunk>
      ? AsyncIterableIterator<Chunk>
      : never;

/** What a logger adds to know where its lines belong. Children have the same. */
export interface ContextMethods {
  /**
   * Runs a function inside a span that ends with it: what it returns, resolves to or throws is passed on. What is logged meanwhile,
   * here or in anything that it calls, carries the span's ids.
   *
   * @throws TypeError or RangeError for a name that is empty and options that are none, before the function runs.
   */
  span<Result>(name: string, fn: (span: Span) => Result): Result;
  span<Result>(name: string, attributes: Attributes, fn: (span: Span) => Result): Result;
  span<Result>(
    name: string,
    attributes: Attributes | undefined,
    options: SpanOptions,
    fn: (span: Span) => Result,
  ): Result;
  /** Starts a span that is ended by hand, or by `using`. What is logged belongs to it inside its `run`. */
  startSpan(name: string, attributes?: Attributes, options?: SpanOptions): Span;
  /** Spans that have not ended, oldest first. */
  activeSpans(options?: { olderThanMs?: number }): ActiveSpanInfo[];
  /** Requests that have not ended, oldest first; empty without `requestTracking`. */
  activeRequests(): ActiveRequestInfo[];
  /** Warns of spans that are open for longer, each once. Returns a function that ends it. */
  watchActiveSpans(options: { olderThanMs: number; everyMs?: number }): () => void;
  /**
   * Passes a stream through and logs, as a span, how it went: the time to its first chunk, chunks, bytes, tokens where `tokens` counts
   * them, the largest gap, the rate, and how it ended. Contents are not logged. Without `streamTracking` it is the source itself.
   */
  trackStream<Source extends TrackableStream<unknown>>(
    source: Source,
    options?: StreamOptions<ChunkOf<Source>>,
  ): TrackedStream<Source>;
  /** Headers for a call that the current span makes: empty outside of spans. */
  traceHeaders(): { traceparent?: string; tracestate?: string };
  /** The last errors that were logged, oldest first; empty without `errorLogging`. */
  errors(): readonly LoggedError[];
  /** How often errors of each fault were logged within the last `windowMs` (default and most: an hour). */
  errorStatistics(options?: { windowMs?: number }): ErrorStatistics[];
}

/** The context of one logger and its children: made with it, and loaded as far as it is used. */
export class LoggerContext {
  readonly methods: ContextMethods;
  readonly #root: Logger;
  readonly #config: PipelineConfig;
  readonly #levels: LevelControl;
  readonly #hooks: LogCallHooks;
  readonly #errors: ErrorLog | undefined;
  #tracker: SpanTracker | undefined;
  #requests: RequestTracker | undefined;

  constructor(root: Logger, config: PipelineConfig, levels: LevelControl, hooks: LogCallHooks) {
    this.#root = root;
    this.#config = config;
    this.#levels = levels;
    this.#hooks = hooks;
    this.#errors = this.#loadErrors();
    this.methods = this.#createMethods();
    this.refresh();
  }

  /** The serializer of errors in lines. */
  serializeError(value: unknown): unknown {
    return this.#errors ? this.#errors.serialize(value) : serializeError(value);
  }

  /** The spans' side, loaded with the first that asks for it. */
  get tracker(): SpanTracker {
    return this.#tracker ?? this.#loadTracker();
  }

  /** The requests' side; undefined where `requestTracking` is off. */
  get requests(): RequestTracker | undefined {
    const settings = this.#config.features?.requestTracking;
    if (!settings || this.#requests) return this.#requests;
    const loaded = requireBuilt<typeof import('../requests/loader.ts')>('requests/loader.js');
    const requests = new loaded.RequestTracker(this.tracker, this.#root, settings);
    this.#hooks.absorbs = (args) => requests.absorbs(args);
    this.#requests = requests;
    return requests;
  }

  /** To be called when levels or directives have changed. */
  refresh(): void {
    const tracker = this.#tracker;
    const levels = this.#levels;
    if (levels.isDynamic || (tracker && this.#config.sampling))
      this.#hooks.admits = tracker
        ? (logger, level) => tracker.admits(logger, level)
        : (logger, level) => levels.admits(logger, level);
    else delete this.#hooks.admits;
  }

  /** For `logger.stats()`: what has been used. */
  stats(): { readonly spans?: SpanStats; readonly requests?: RequestStats } {
    return {
      ...(this.#tracker && { spans: this.#tracker.stats() }),
      ...(this.#requests && { requests: this.#requests.stats() }),
    };
  }

  #loadTracker(): SpanTracker {
    const loaded = requireBuilt<typeof import('./loader.ts')>('context/loader.js');
    this.#tracker = new loaded.SpanTracker({
      root: this.#root,
      levels: this.#levels,
      ...(this.#config.sampling && { sampling: this.#config.sampling }),
      serializeError: (error, level, span) =>
        this.#errors ? this.#errors.serializeFor(error, level, span) : serializeError(error),
    });
    this.refresh();
    return this.#tracker;
  }

  #loadErrors(): ErrorLog | undefined {
    const settings = this.#config.features?.errorLogging;
    if (!settings) return undefined;
    const loaded = requireBuilt<typeof import('../errors/loader.ts')>('errors/loader.js');
    const errors = new loaded.ErrorLog({
      maxHistorySize: settings.maxHistorySize ?? MAX_ERROR_HISTORY,
      enableStatistics: settings.enableStatistics ?? true,
      currentIds: () => this.#tracker?.currentParent(),
    });
    this.#hooks.observe = (_logger, args, level) => errors.observe(args, level);
    return errors;
  }

  #createMethods(): ContextMethods {
    const context = this;
    return {
      span(this: Logger, name: string, ...rest: readonly unknown[]): never {
        const fn = rest.at(-1);
        if (typeof fn !== 'function')
          throw new TypeError(`the last argument of span must be a function; got ${typeof fn}`);
        const [attributes, options] = rest.slice(0, -1) as [Attributes?, SpanOptions?];
        return context.tracker.span(this, name, attributes, options, fn as (span: Span) => never);
      },
      startSpan(this: Logger, name: string, attributes?: Attributes, options?: SpanOptions): Span {
        return context.tracker.start(this, name, attributes, options);
      },
      activeSpans: ({ olderThanMs } = {}) => this.#tracker?.activeSpans(olderThanMs) ?? [],
      activeRequests: () => this.#requests?.activeRequests() ?? [],
      watchActiveSpans(this: Logger, { olderThanMs, everyMs = olderThanMs }): () => void {
        return context.tracker.watch(this, olderThanMs, everyMs);
      },
      trackStream(this: Logger, source: TrackableStream<unknown>, options: StreamOptions = {}): never {
        const settings = context.#config.features?.streamTracking;
        if (!settings) return source as never;
        const loaded = requireBuilt<typeof import('../streams/loader.ts')>('streams/loader.js');
        const withMetrics = settings.enableMetrics ?? true;
        return loaded.trackStream(context.tracker, this, source, options, withMetrics) as never;
      },
      traceHeaders: () => this.#tracker?.headers() ?? {},
      errors: () => this.#errors?.history() ?? [],
      errorStatistics: ({ windowMs = HOUR_MS } = {}) => this.#errors?.statistics(windowMs) ?? [],
    };
  }
}

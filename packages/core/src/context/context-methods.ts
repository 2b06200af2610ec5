import type { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Logger } from 'pino';
import { requireBuilt } from '../built-file.ts';
import type { ErrorStatistics, LoggedError } from '../errors/error-log.ts';
import type { ActiveRequestInfo } from '../requests/request-tracker.ts';
import type { StreamOptions, TrackableStream } from '../streams/track-stream.ts';
import type { Attributes } from './attributes.ts';
import type { LoggerContext } from './logger-context.ts';
import type { ActiveSpanInfo, Span, SpanOptions } from './span.ts';

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
  /** The span that the calling code runs in, if it is one of ours and has not ended. */
  currentSpan(): Span | undefined;
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

/** Methods for the root of a logger; in children `this` is the child. */
export function contextMethods(context: LoggerContext): ContextMethods {
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
    currentSpan: () => context.usedTracker?.currentSpan(),
    activeSpans: ({ olderThanMs } = {}) => context.usedTracker?.activeSpans(olderThanMs) ?? [],
    activeRequests: () => context.usedRequests?.activeRequests() ?? [],
    watchActiveSpans(this: Logger, { olderThanMs, everyMs = olderThanMs }): () => void {
      return context.tracker.watch(this, olderThanMs, everyMs);
    },
    trackStream(this: Logger, source: TrackableStream<unknown>, options: StreamOptions = {}): never {
      const settings = context.streamTracking;
      if (!settings) return source as never;
      const loaded = requireBuilt('streams/loader.js') as typeof import('../streams/loader.ts');
      const withMetrics = settings.enableMetrics ?? true;
      return loaded.trackStream(context.tracker, this, source, options, withMetrics) as never;
    },
    traceHeaders: () => context.usedTracker?.headers() ?? {},
    errors: () => context.errors?.history() ?? [],
    errorStatistics: ({ windowMs = HOUR_MS } = {}) => context.errors?.statistics(windowMs) ?? [],
  };
}

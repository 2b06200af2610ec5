import type { LevelName } from '@treeline/contract';
import type { Logger } from 'pino';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { isAbort, type ActiveSpan } from '../context/active-span.ts';
import { cutText, type Attributes } from '../context/attributes.ts';
import type { SpanTracker } from '../context/span-tracker.ts';
import { StreamMeter, type StreamCounters } from './stream-meter.ts';

/** What a stream is called, and what is counted of it. */
export interface StreamOptions<Chunk = unknown> extends StreamCounters<Chunk> {
  /** The name of its span (default `stream`). */
  readonly name?: string;
  readonly attributes?: Attributes;
  /** The level at which the contents of each chunk are logged; without it they never are. */
  readonly logContents?: LevelName;
}

/** Streams that can be tracked: Node's, the web's, and whatever can be iterated over. */
export type TrackableStream<Chunk> = Readable | ReadableStream<Chunk> | AsyncIterable<Chunk>;

const MAX_CONTENT_CHARS = 1024;

/**
 * Gives a stream of the same kind whose chunks, errors and pace are those of the source. Its span ends when it does: complete, with
 * an error, or aborted where the reader stops before the end.
 */
export function trackStream<Chunk>(
  spans: SpanTracker,
  logger: Logger,
  source: TrackableStream<Chunk>,
  options: StreamOptions<Chunk>,
  withMetrics: boolean,
): TrackableStream<Chunk> {
  if (source instanceof ReadableStream || isWebStream(source)) {
    const tracked = new Tracked(spans, logger, iterateWeb(source), options, withMetrics);
    return toWeb(tracked);
  }
  if (!isIterable<Chunk>(source))
    throw new TypeError(`source must be a stream or an async iterable; got ${typeof source}`);
  const iterator = isNodeStream(source) ? iterateNode<Chunk>(source) : source[Symbol.asyncIterator]();
  const tracked = new Tracked(spans, logger, iterator, options, withMetrics);
  return isNodeStream(source) ? toNode(tracked, source) : tracked;
}

/** An iterator around another one; what it is asked for is what it asks for. */
class Tracked<Chunk> implements AsyncIterableIterator<Chunk> {
  readonly #logger: Logger;
  readonly #inner: AsyncIterator<Chunk>;
  readonly #meter: StreamMeter<Chunk> | undefined;
  readonly #span: ActiveSpan;
  readonly #contentLevel: LevelName | undefined;
  #hasEnded = false;

  constructor(
    spans: SpanTracker,
    logger: Logger,
    inner: AsyncIterator<Chunk>,
    options: StreamOptions<Chunk>,
    withMetrics: boolean,
  ) {
    const { name = 'stream', attributes, logContents } = options;
    this.#logger = logger;
    this.#inner = inner;
    this.#contentLevel = logContents;
    this.#span = spans.start(logger, name, attributes);
    this.#meter = withMetrics ? new StreamMeter(options) : undefined;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(...args: [] | [undefined]): Promise<IteratorResult<Chunk>> {
    this.#meter?.asked();
    const result = await this.#settling(() => this.#inner.next(...args));
    if (result.done) this.#end('ok', 'complete');
    else this.#arrived(result.value);
    return result;
  }

  async return(value?: unknown): Promise<IteratorResult<Chunk>> {
    this.#end('aborted', 'returned');
    return this.#inner.return
      ? this.#span.run(() => this.#inner.return?.(value) as Promise<IteratorResult<Chunk>>)
      : { done: true, value };
  }

  async throw(error?: unknown): Promise<IteratorResult<Chunk>> {
    try {
      const thrown = this.#span.run(() => this.#inner.throw?.(error));
      if (thrown) return await thrown;
      await this.return();
      throw error;
    } catch (thrown) {
      // Node's streams tell so that their reader has had enough.
      this.#end('aborted', 'returned');
      throw thrown;
    }
  }

  async #settling(step: () => Promise<IteratorResult<Chunk>>): Promise<IteratorResult<Chunk>> {
    try {
      return await this.#span.run(step);
    } catch (error) {
      if (isAbort(error)) this.#end('aborted', 'aborted');
      else this.#end('error', 'error', error);
      throw error;
    }
  }

  #arrived(chunk: Chunk): void {
    this.#meter?.arrived(chunk);
    const level = this.#contentLevel;
    if (level === undefined) return;
    this.#span.run(() => this.#logger[level]({ content: contentOf(chunk) }, 'chunk'));
  }

  #end(status: 'ok' | 'error' | 'aborted', ended: string, error?: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#span.endWith(status, { 'stream.ended': ended, ...this.#meter?.attributes() }, error);
  }
}

function contentOf(chunk: unknown): string {
  try {
    const text =
      typeof chunk === 'string'
        ? chunk
        : chunk instanceof Uint8Array
          ? Buffer.from(
              chunk.buffer,
              chunk.byteOffset,
              Math.min(chunk.byteLength, MAX_CONTENT_CHARS),
            ).toString()
          : (JSON.stringify(chunk) ?? '');
    return cutText(text, MAX_CONTENT_CHARS);
  } catch {
    return '[unreadable]';
  }
}

function isIterable<Chunk>(source: unknown): source is AsyncIterable<Chunk> {
  return typeof source === 'object' && source !== null && Symbol.asyncIterator in source;
}

function isWebStream(source: unknown): source is ReadableStream {
  return typeof source === 'object' && source !== null && 'getReader' in source && 'cancel' in source;
}

function isNodeStream(source: object): source is Readable {
  return 'pipe' in source && 'read' in source && 'destroy' in source;
}

/** Nothing is read ahead: what waits, waits in the source. */
function toNode<Chunk>(tracked: Tracked<Chunk>, source: Readable): Readable {
  const stream = Readable.from(tracked, { objectMode: source.readableObjectMode, highWaterMark: 0 });
  if (source.readableEncoding) stream.setEncoding(source.readableEncoding);
  return stream;
}

/** Not a generator: one that was never read from would not hear that it is to stop. */
function iterateWeb<Chunk>(source: ReadableStream<Chunk>): AsyncIterator<Chunk> {
  const reader = source.getReader();
  return {
    async next() {
      const { done, value } = await reader.read();
      if (done) reader.releaseLock();
      return done ? { done, value: undefined } : { done, value };
    },
    async return(reason?: unknown) {
      await reader.cancel(reason);
      reader.releaseLock();
      return { done: true, value: undefined };
    },
  };
}

/** The stream's own iterator is a generator, too. */
function iterateNode<Chunk>(source: Readable): AsyncIterator<Chunk> {
  const iterator = source.iterator() as AsyncIterator<Chunk>;
  return {
    next: () => iterator.next(),
    async return() {
      await iterator.return?.();
      source.destroy();
      return { done: true, value: undefined };
    },
  };
}

function toWeb<Chunk>(tracked: Tracked<Chunk>): ReadableStream<Chunk> {
  return new ReadableStream<Chunk>(
    {
      async pull(controller) {
        const { done, value } = await tracked.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel(reason) {
        await tracked.return(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

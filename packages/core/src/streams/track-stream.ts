import type { LevelName } from '@treeline/contract';
import type { Logger } from 'pino';
import { finished, Readable } from 'node:stream';
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
  const isWeb = source instanceof ReadableStream || isWebStream(source);
  if (!isWeb && !isIterable<Chunk>(source))
    throw new TypeError(`source must be a stream or an async iterable; got ${typeof source}`);
  const books = new Books(spans, logger, options, withMetrics);
  if (isWeb) return toWeb(new Tracked(books, iterateWeb(source)));
  return isNodeStream(source) ? toNode(books, source) : new Tracked(books, source[Symbol.asyncIterator]());
}

/** What is kept of one stream: its span, and its figures. */
class Books<Chunk> {
  readonly #logger: Logger;
  readonly #meter: StreamMeter<Chunk> | undefined;
  readonly #span: ActiveSpan;
  readonly #contentLevel: LevelName | undefined;
  #hasEnded = false;

  constructor(spans: SpanTracker, logger: Logger, options: StreamOptions<Chunk>, withMetrics: boolean) {
    const { name = 'stream', attributes, logContents } = options;
    if (logContents !== undefined && typeof logger[logContents] !== 'function')
      throw new RangeError(`logContents must be a level; got ${JSON.stringify(logContents)}`);
    this.#logger = logger;
    this.#contentLevel = logContents;
    this.#span = spans.start(logger, name, attributes);
    this.#meter = withMetrics ? new StreamMeter(options) : undefined;
  }

  run<Result>(fn: () => Result): Result {
    return this.#span.run(fn);
  }

  asked(): void {
    this.#meter?.asked();
  }

  arrived(chunk: Chunk): void {
    this.#meter?.arrived(chunk);
    const level = this.#contentLevel;
    if (level === undefined) return;
    this.#span.run(() => this.#logger[level]({ content: contentOf(chunk) }, 'chunk'));
  }

  failed(error: unknown): void {
    if (isAbort(error)) this.end('aborted', 'aborted');
    else this.end('error', 'error', error);
  }

  end(status: 'ok' | 'error' | 'aborted', ended: string, error?: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#span.endWith(status, { 'stream.ended': ended, ...this.#meter?.attributes() }, error);
  }
}

/** An iterator around another one; what it is asked for is what it asks for. */
class Tracked<Chunk> implements AsyncIterableIterator<Chunk> {
  readonly #books: Books<Chunk>;
  readonly #inner: AsyncIterator<Chunk>;

  constructor(books: Books<Chunk>, inner: AsyncIterator<Chunk>) {
    this.#books = books;
    this.#inner = inner;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(...args: [] | [undefined]): Promise<IteratorResult<Chunk>> {
    this.#books.asked();
    const result = await this.#settling(() => this.#inner.next(...args));
    if (result.done) this.#books.end('ok', 'complete');
    else this.#books.arrived(result.value);
    return result;
  }

  async return(value?: unknown): Promise<IteratorResult<Chunk>> {
    this.#books.end('aborted', 'returned');
    return this.#inner.return
      ? this.#books.run(() => this.#inner.return?.(value) as Promise<IteratorResult<Chunk>>)
      : { done: true, value };
  }

  async throw(error?: unknown): Promise<IteratorResult<Chunk>> {
    try {
      const thrown = this.#books.run(() => this.#inner.throw?.(error));
      if (thrown) return await thrown;
      await this.return();
      throw error;
    } catch (thrown) {
      this.#books.end('aborted', 'returned');
      throw thrown;
    }
  }

  async #settling(step: () => Promise<IteratorResult<Chunk>>): Promise<IteratorResult<Chunk>> {
    try {
      return await this.#books.run(step);
    } catch (error) {
      this.#books.failed(error);
      throw error;
    }
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

/**
 * Nothing is read ahead: what waits, waits in the source. By its events and not by its iterator, which joins chunks that wait, hears of
 * errors only when it is asked, and can't be told to stop while it waits.
 */
function toNode<Chunk>(books: Books<Chunk>, source: Readable): Readable {
  const stream = new Readable({
    objectMode: source.readableObjectMode,
    highWaterMark: 0,
    read() {
      books.asked();
      books.run(() => source.resume());
    },
    destroy(error, callback) {
      books.end('aborted', 'returned');
      source.destroy();
      callback(error);
    },
  });
  const { readableEncoding: encoding } = source;
  // With the encoding of the stream itself a text goes through as it is.
  if (encoding) stream.setEncoding(encoding);
  source.pause();
  source.on('data', (chunk: Chunk) => {
    source.pause();
    books.arrived(chunk);
    stream.push(chunk, typeof chunk === 'string' ? (source.readableEncoding ?? undefined) : undefined);
  });
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    books.end('ok', 'complete');
    stream.push(null);
  };
  source.once('end', end);
  // Tells also of a source that has ended before.
  finished(source, { writable: false }, (error) => {
    if (!error) return end();
    if (isOver) return;
    const isSilent = error.code === 'ERR_STREAM_PREMATURE_CLOSE';
    if (isSilent) books.end('aborted', 'aborted');
    else books.failed(error);
    stream.destroy(isSilent ? undefined : error);
  });
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

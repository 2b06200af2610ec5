import { messageOf, raceAbort, TreelineError } from '@treeline/contract';
import type { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';

/** pino itself waits 10 s for a target to close. */
const CLOSE_DEADLINE_MS = 8_000;

type Callback = (error?: Error | null) => void;

/** What pino's targets give back: a Writable, or a look-alike such as SonicBoom, whose `write` takes no callback. */
interface TargetWritable extends EventEmitter {
  write(text: string, encoding?: BufferEncoding, callback?: Callback): boolean;
  end(): unknown;
  destroy?(): unknown;
  flush?(callback?: Callback): unknown;
  flushSync?(): void;
  /** SonicBoom's: how much it gathers before it writes by itself. */
  readonly minLength?: number;
}

/** The stream of a pino target with promises in place of callbacks and events. Once it has failed, everything rejects. */
export class TargetStream {
  readonly #stream: TargetWritable;
  readonly #failed = new AbortController();
  #isEnding = false;
  #isClosed = false;

  /**
   * @param stream what the target returned.
   * @param onFailed hears why the stream can't be used any more.
   * @throws TypeError where that is no stream.
   */
  constructor(stream: unknown, onFailed: (error: Error) => void) {
    this.#stream = asWritable(stream);
    const fail = (error: Error): void => {
      if (this.#failed.signal.aborted || this.#isClosed) return;
      this.#failed.abort(error);
      onFailed(error);
    };
    // The listener stays: a second error must not be an uncaught one.
    this.#stream.on('error', (error: unknown) =>
      fail(error instanceof Error ? error : new Error(messageOf(error))),
    );
    this.#stream.once('close', () => {
      if (!this.#isEnding) fail(new Error('the target closed its stream'));
      this.#isClosed = true;
    });
  }

  /** Resolves when the stream has taken the text and asks for more. */
  write(text: string): Promise<void> {
    return this.#unlessFailed(writeText(this.#stream, text));
  }

  /** Whether it can be flushed without being ended. */
  get canFlush(): boolean {
    return typeof this.#stream.flush === 'function' || typeof this.#stream.flushSync === 'function';
  }

  flush(): Promise<void> {
    return this.#unlessFailed(flushStream(this.#stream));
  }

  /**
   * Ends the stream and resolves with its `close`, pino's only sign that a target is done with what it was given.
   *
   * @throws TreelineError TIMEOUT after 8 s; the stream is destroyed then.
   */
  async end(): Promise<void> {
    this.#isEnding = true;
    const closed = new Promise<void>((resolve) => this.#stream.once('close', resolve));
    this.#stream.end();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, CLOSE_DEADLINE_MS, 'late');
    });
    try {
      await this.#unlessFailed(Promise.race([closed, late]).then((outcome) => this.#refuseLate(outcome)));
    } finally {
      clearTimeout(timer);
    }
  }

  #refuseLate(outcome: 'late' | void): void {
    if (outcome !== 'late') return;
    this.#stream.destroy?.();
    throw new TreelineError('TIMEOUT', `the target did not close its stream within ${CLOSE_DEADLINE_MS} ms`);
  }

  async #unlessFailed(promise: Promise<void>): Promise<void> {
    const { signal } = this.#failed;
    // What comes after the failure is of no interest.
    promise.catch(() => undefined);
    if ((await raceAbort(promise, signal)) === 'aborted') throw signal.reason as Error;
  }
}

function asWritable(value: unknown): TargetWritable {
  const stream = value as Partial<TargetWritable> | null | undefined;
  const isStream = [stream?.write, stream?.end, stream?.on].every((method) => typeof method === 'function');
  if (!isStream)
    throw new TypeError(`the target must return a Writable; got ${value === null ? 'null' : typeof value}`);
  return stream as TargetWritable;
}

function writeText(stream: TargetWritable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (callsBack(stream)) {
      stream.write(text, 'utf8', (error) => (error ? reject(error) : resolve()));
      return;
    }
    stream.once('drain', resolve);
    const hasRoom = stream.write(text);
    // A SonicBoom that gathers nothing drains when all is written; one that gathers may not write at all.
    if (!hasRoom || stream.minLength === 0) return;
    stream.removeListener('drain', resolve);
    resolve();
  });
}

/** A stream of another copy of Node's stream package is no instance, but keeps its state under the same name. */
function callsBack(stream: TargetWritable): boolean {
  return stream instanceof Writable || '_writableState' in stream;
}

/** As pino's own thread does it: by callback, by promise, or at once. */
function flushStream(stream: TargetWritable): Promise<void> {
  return new Promise((resolve, reject) => {
    if (typeof stream.flush !== 'function') stream.flushSync?.();
    const takesCallback = typeof stream.flush === 'function' && stream.flush.length > 0;
    const result: unknown = stream.flush?.((error) => (error ? reject(error) : resolve()));
    if (result instanceof Promise) result.then(() => resolve(), reject);
    else if (!takesCallback) resolve();
  });
}

import {
  defineTransport,
  LEVELS,
  messageOf,
  TreelineError,
  type Batch,
  type Sink,
  type SinkContext,
} from '@treeline/contract';
import { parentPort, workerData } from 'node:worker_threads';
import { TargetStream } from './target-stream.ts';

/** What the config gives for a stream of type `pino`. */
export interface PinoSinkOptions {
  /** The target's module as a file URL. */
  readonly target: string;
  /** The target's own. */
  readonly options: unknown;
}

type PinoTarget = (options: unknown) => unknown;

/** How often a target that waits for pino's config is told it: nobody can see when it begins to listen. */
const CONFIG_INTERVAL_MS = 10;

const LEVEL_LABELS = Object.fromEntries(Object.entries(LEVELS).map(([name, number]) => [number, name]));

const PINO_CONFIG = {
  code: 'PINO_CONFIG',
  config: { levels: { labels: LEVEL_LABELS, values: LEVELS }, messageKey: 'msg', errorKey: 'err' },
};

/**
 * Runs any pino transport as a sink. It needs a thread of its own, which it ends when the target fails: another one then begins with
 * the target as it was loaded.
 */
export default defineTransport<PinoSinkOptions>({
  name: 'pino',
  open: (options, context) => openPinoSink(options, context, () => process.exit(1)),
});

/** @param endThread is called when the target can't go on, after its reason has been reported. */
export async function openPinoSink(
  { target: url, options }: PinoSinkOptions,
  context: SinkContext,
  endThread: () => void,
): Promise<Sink> {
  const target = await loadTarget(url);
  const sink = new PinoSink(() => callTarget(target, options), context, endThread);
  await sink.start();
  return sink;
}

class PinoSink implements Sink {
  readonly #call: () => Promise<unknown>;
  readonly #context: SinkContext;
  readonly #endThread: () => void;
  #stream: TargetStream | undefined;
  #isClosed = false;

  constructor(call: () => Promise<unknown>, context: SinkContext, endThread: () => void) {
    this.#call = call;
    this.#context = context;
    this.#endThread = endThread;
  }

  async start(): Promise<TargetStream> {
    this.#stream = new TargetStream(await this.#call(), (error) => this.#fail(error));
    return this.#stream;
  }

  /** As text, not bytes: pino gives its targets nothing else. */
  async write(batch: Batch): Promise<void> {
    if (this.#isClosed) throw new TreelineError('CLOSED', 'the stream is closed');
    const stream = this.#stream ?? (await this.start());
    await stream.write(batch.bytes.toString());
  }

  /**
   * A target without `flush` has one way only to tell that all is delivered: it is ended, closes, and is called again for the next
   * write.
   */
  async flush(): Promise<void> {
    if (this.#stream?.canFlush) await this.#stream.flush();
    else await this.#end();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#end();
  }

  async #end(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    await stream?.end();
  }

  #fail(error: Error): void {
    this.#stream = undefined;
    if (this.#isClosed) return;
    this.#context.report({ type: 'down', reason: error.message });
    // What rejects because of it is answered first.
    setImmediate(this.#endThread);
  }
}

/**
 * Imports a target as pino does: compiled modules have their function two defaults deep.
 *
 * @throws TypeError where there is none.
 */
async function loadTarget(url: string): Promise<PinoTarget> {
  let exported: unknown = await import(url);
  for (let depth = 0; depth < 2 && typeof exported === 'object' && exported !== null; depth++) {
    exported = (exported as { default?: unknown }).default;
  }
  if (typeof exported !== 'function') throw new TypeError(`the default export of ${url} must be a function`);
  return exported as PinoTarget;
}

/** Calls a target as pino's own thread would, down to the config that some wait for (pino-abstract-transport's `expectPinoConfig`). */
async function callTarget(target: PinoTarget, options: unknown): Promise<unknown> {
  announceConfig();
  const timer = setInterval(() => parentPort?.emit('message', PINO_CONFIG), CONFIG_INTERVAL_MS);
  try {
    return await target(options);
  } catch (error) {
    throw new Error(`the target failed: ${messageOf(error)}`, { cause: error });
  } finally {
    clearInterval(timer);
  }
}

function announceConfig(): void {
  if (typeof workerData !== 'object' || workerData === null) return;
  (workerData as { workerData?: unknown }).workerData ??= { pinoWillSendConfig: true };
}

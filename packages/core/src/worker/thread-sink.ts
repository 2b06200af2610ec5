import {
  batchToParts,
  raceAbort,
  TreelineError,
  type Batch,
  type Sink,
  type SinkEvent,
  type WriteResult,
} from '@treeline/contract';
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { builtFile } from '../built-file.ts';
import { startThread } from '../start-thread.ts';
import type { OpenedSink } from './stream.ts';
import {
  STOP,
  type ThreadCall,
  type ThreadMessage,
  type ThreadRequest,
  type ThreadSpec,
} from './thread-protocol.ts';

/** The threads that run, those that are still opening their sink included. */
const threads = new Set<Worker>();

/** What a thread may need to come back from a call before it is terminated. */
const STOP_MS = 250;

/** Lets every thread end by itself; those that don't in time are terminated. */
export async function stopThreads(): Promise<void> {
  await Promise.all([...threads].map(stopThread));
}

async function stopThread(thread: Worker): Promise<void> {
  const exit = once(thread, 'exit');
  thread.postMessage(STOP);
  await raceAbort(exit, AbortSignal.timeout(STOP_MS));
  await thread.terminate();
}

/**
 * Runs a sink in a thread of its own and looks like that sink. When the thread dies, calls under way reject, and the next write
 * starts another one: what the sink had already settled is asked for then, so that nothing is written twice.
 */
export async function openThreadSink(
  spec: ThreadSpec,
  report: (event: SinkEvent) => void,
  ended: AbortSignal,
): Promise<OpenedSink> {
  const sink = new ThreadSink(spec, report, ended);
  const { batch, retry } = await sink.start();
  return { sink, batch, retry };
}

type OpenedMessage = Extract<ThreadMessage, { type: 'opened' }>;

class ThreadSink implements Sink {
  readonly #spec: ThreadSpec;
  readonly #report: (event: SinkEvent) => void;
  readonly #ended: AbortSignal;
  readonly #calls = new Map<
    number,
    { resolve(result: WriteResult | void): void; reject(error: Error): void }
  >();
  #settledSeqs: Readonly<Record<string, number>> = {};
  #nextId = 0;
  #worker: Worker | undefined;
  #closed = false;

  constructor(spec: ThreadSpec, report: (event: SinkEvent) => void, ended: AbortSignal) {
    this.#spec = spec;
    this.#report = report;
    this.#ended = ended;
  }

  async start(): Promise<OpenedMessage> {
    const worker = startThread(builtFile('worker/sink-thread.js'), { workerData: this.#spec });
    threads.add(worker);
    // In-process it would keep the program alive: what is under way is waited for at the end, for as long as the end may take.
    worker.unref();
    const stop = (): void => void stopThread(worker);
    this.#ended.addEventListener('abort', stop, { once: true });
    let isOpen = false;
    return new Promise((resolve, reject) => {
      worker.on('message', (message: ThreadMessage) => {
        if (message.type === 'opened') {
          isOpen = true;
          // Adding listeners has taken it back.
          worker.unref();
          this.#settledSeqs = message.settledSeqs;
          this.#worker = worker;
          resolve(message);
        } else if (message.type === 'open-failed') {
          reject(new Error(message.error));
          void worker.terminate();
        } else this.#receive(message);
      });
      worker.on('error', (error) =>
        this.#report({ type: 'warning', reason: `its thread failed: ${error.message}` }),
      );
      worker.on('exit', (exitCode) => {
        threads.delete(worker);
        this.#ended.removeEventListener('abort', stop);
        const error = new TreelineError('THREAD_DIED', `its thread ended with code ${exitCode}`);
        reject(error);
        if (isOpen) this.#died(error);
      });
    });
  }

  async write(batch: Batch): Promise<WriteResult | void> {
    if (!this.#worker) {
      await this.start();
      const settledSeq = batch.position && this.settledSeq(batch.position.logId);
      // What the thread had written before it died is left out when the batch is offered again.
      if (settledSeq !== undefined && settledSeq >= batch.seq(0))
        throw new Error('its thread was started again');
    }
    const parts = batchToParts(batch);
    return this.#call({ type: 'write', batch: parts }, [parts.bytes.buffer]);
  }

  async flush(): Promise<void> {
    if (this.#worker) await this.#call({ type: 'flush' });
  }

  async reopen(): Promise<void> {
    if (this.#worker) await this.#call({ type: 'reopen' });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const worker = this.#worker;
    if (!worker) return;
    await this.#call({ type: 'close' });
    await worker.terminate();
  }

  settledSeq(logId: string): number | undefined {
    return this.#settledSeqs[logId];
  }

  #call(request: ThreadRequest, transfer: ArrayBuffer[] = []): Promise<WriteResult | void> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      const call: ThreadCall = { id, request };
      this.#worker?.postMessage(call, transfer);
    });
  }

  #receive(message: Exclude<ThreadMessage, { type: 'opened' | 'open-failed' }>): void {
    if (message.type === 'event') {
      this.#report(message.event);
      return;
    }
    const call = this.#calls.get(message.id);
    this.#calls.delete(message.id);
    if (message.type === 'reply') call?.resolve(message.result);
    else call?.reject(new Error(message.error));
  }

  #died(error: TreelineError): void {
    this.#worker = undefined;
    if (!this.#closed) this.#report({ type: 'down', reason: error.message });
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }
}

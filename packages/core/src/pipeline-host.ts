import { raceAbort } from '@treeline/contract';
import { once } from 'node:events';
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { builtFile } from './built-file.ts';
import { startThread } from './start-thread.ts';
import type { OpenMessage, PipelineSpec, StopMessage } from './protocol.ts';

/** Waits before a worker that died is started again. */
const RESTART_MS = { min: 100, max: 30_000 };

/** A worker without loggers stays for so long: who makes them one after the other does not pay its start for each. */
const IDLE_MS = 1_000;

/** What a worker may need to end by itself, the threads of its sinks included. */
const STOP_MS = 500;

/** The worker passes bytes on and makes few objects: V8's 48 MB would be taken up by garbage all the same, at no gain in speed. */
const YOUNG_GENERATION_MB = 4;

/** A logger's side of its pipeline, told about the worker's life. */
export interface PipelineOwner {
  readonly spec: PipelineSpec;
  /** A pipeline has been opened in a worker, at first or again. */
  attached(port: MessagePort): void;
  /** The worker died; `attached` follows. */
  detached(reason: string): void;
}

/** The process's pipeline worker: started for the first logger that needs it, ended some time after the last was closed. */
let worker: Worker | undefined;
let idleTimer: NodeJS.Timeout | undefined;
const owners = new Set<PipelineOwner>();
const inProcess = new Set<object>();
let failures = 0;

export function openPipeline(owner: PipelineOwner): void {
  if (owner.spec.config.mode === 'in-process') {
    void openInProcess(owner);
    return;
  }
  owners.add(owner);
  worker ??= startWorker();
  attach(owner, worker);
}

export function closePipeline(owner: PipelineOwner): void {
  if (!owners.delete(owner) || owners.size > 0) return;
  idleTimer ??= setTimeout(stopIdleWorker, IDLE_MS).unref();
  idleTimer.refresh();
}

function stopIdleWorker(): void {
  const idle = worker;
  if (owners.size > 0 || !idle) return;
  worker = undefined;
  void stopWorker(idle);
}

async function stopWorker(ended: Worker): Promise<void> {
  const exit = once(ended, 'exit');
  const message: StopMessage = { type: 'stop' };
  ended.postMessage(message);
  await raceAbort(exit, AbortSignal.timeout(STOP_MS));
  await ended.terminate();
}

/** The same pipeline in this thread: its messages go over a port all the same. */
async function openInProcess(owner: PipelineOwner): Promise<void> {
  const { Pipeline } = await import('./worker/pipeline.ts');
  const { port1, port2 } = new MessageChannel();
  const pipeline = new Pipeline(owner.spec, port2);
  port2.on('close', () => inProcess.delete(pipeline));
  inProcess.add(pipeline);
  port2.unref();
  owner.attached(port1);
}

function startWorker(): Worker {
  const started = startThread(builtFile('worker/pipeline-worker.js'), {
    stdout: false,
    stderr: false,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  // A logger must not keep an idle process alive; what is undelivered is waited for in `exit`.
  started.unref();
  let reason = 'the pipeline worker ended';
  started.on('error', (error: Error) => {
    reason = `the pipeline worker failed: ${error.message}`;
  });
  const startedMs = performance.now();
  started.on('exit', () => {
    if (performance.now() - startedMs > RESTART_MS.max) failures = 0;
    if (worker === started) restart(reason);
  });
  return started;
}

function restart(reason: string): void {
  worker = undefined;
  for (const owner of owners) owner.detached(reason);
  const delayMs = Math.min(RESTART_MS.max, RESTART_MS.min * 2 ** failures++);
  setTimeout(() => {
    if (worker || owners.size === 0) return;
    worker = startWorker();
    for (const owner of owners) attach(owner, worker);
  }, delayMs).unref();
}

function attach(owner: PipelineOwner, to: Worker): void {
  const { port1, port2 } = new MessageChannel();
  const message: OpenMessage = { type: 'open', spec: owner.spec, port: port2 };
  to.postMessage(message, [port2]);
  owner.attached(port1);
}

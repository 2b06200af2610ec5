import { parentPort } from 'node:worker_threads';
import type { OpenMessage, StopMessage } from '../protocol.ts';
import { Pipeline } from './pipeline.ts';
import { stopThreads } from './thread-sink.ts';

/** One for each logger of the process. */
const pipelines = new Set<Pipeline>();

function open({ spec, port }: OpenMessage): void {
  const pipeline = new Pipeline(spec, port);
  pipelines.add(pipeline);
  port.on('close', () => pipelines.delete(pipeline));
}

/** The process's pipeline worker: holds a pipeline for each logger, and runs our own code only. */
parentPort?.on('message', (message: OpenMessage | StopMessage) => {
  if (message.type === 'open') open(message);
  else void stopThreads().finally(() => process.exit());
});

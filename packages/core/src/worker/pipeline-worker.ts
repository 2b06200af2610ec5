import { parentPort } from 'node:worker_threads';
import type { OpenMessage, StopMessage } from '../protocol.ts';
import { Pipeline } from './pipeline.ts';
import { stopThreads } from './thread-sink.ts';

/** The process's pipeline worker: holds a pipeline for each logger, and runs our own code only. */
parentPort?.on('message', (message: OpenMessage | StopMessage) => {
  if (message.type === 'open') new Pipeline(message.spec, message.port);
  else void stopThreads(message.timeoutMs).finally(() => process.exit());
});

import { parentPort } from 'node:worker_threads';
import type { OpenMessage } from '../protocol.ts';
import { Pipeline } from './pipeline.ts';

/** The process's pipeline worker: holds a pipeline for each logger, and runs our own code only. */
parentPort?.on('message', (message: OpenMessage) => {
  new Pipeline(message.spec, message.port);
});

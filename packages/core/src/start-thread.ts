import { Worker, type WorkerOptions } from 'node:worker_threads';

/** Starts a thread that runs a module's file, however the program itself was started. */
export function startThread(module: URL, options: WorkerOptions): Worker {
  // It would inherit what tells node how to read a program from the command line (`node --input-type=module -e …`), and refuse the file.
  const isEvaluated = process.execArgv.some((argument) => argument.startsWith('--input-type'));
  return new Worker(module, { ...options, ...(isEvaluated && { execArgv: [] }) });
}

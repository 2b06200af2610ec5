import { parentPort, workerData } from 'node:worker_threads';
import type { SinkEvent } from './sink.ts';

/** What pino mixes into the options of a single target. */
const PINO_KEYS = ['$context', 'pinoWillSendConfig', 'levels'];

/** The options of a target as the program gave them. */
export function withoutPinoKeys(options: unknown): unknown {
  if (typeof options !== 'object' || options === null) return options;
  const ours: Record<string, unknown> = { ...options };
  for (const key of PINO_KEYS) delete ours[key];
  return ours;
}

/** Whether this thread is one that pino started for a transport. */
export function runsInThreadStream(): boolean {
  const data = workerData as { workerData?: { $context?: { threadStreamVersion?: unknown } } } | null;
  return data?.workerData?.$context?.threadStreamVersion !== undefined;
}

/**
 * Emits `treeline:status` on the transport's stream in the main thread; to be called in a thread of pino's only, whose form this is: a
 * message with another code would end it.
 */
export function postStatus({ stream, type, reason, count }: SinkEvent & { readonly stream?: string }): void {
  const status = { ...(stream !== undefined && { stream }), type, reason, count };
  parentPort?.postMessage({ code: 'EVENT', name: 'treeline:status', args: [status] });
}

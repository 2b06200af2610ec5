import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { LoggerKeys, SinkEvent } from './sink.ts';

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

/** pino posts it when the logger is made; a stream that never gets one must start all the same. */
const LOGGER_KEYS_WITHIN_MS = 1000;
const REDELIVER_POLL_MS = 5;

interface ThreadMessage {
  readonly code?: unknown;
  readonly config?: LoggerKeys;
}

/** The keys and levels that pino says its logger has; undefined where it says none. */
export async function receiveLoggerKeys(): Promise<LoggerKeys | undefined> {
  const data = workerData as { workerData?: { pinoWillSendConfig?: unknown } } | null;
  const port = parentPort;
  if (!port || !runsInThreadStream() || data?.workerData?.pinoWillSendConfig !== true) return undefined;
  const others: unknown[] = [];
  const keys = await new Promise<LoggerKeys | undefined>((resolve) => {
    const end = (received: LoggerKeys | undefined): void => {
      clearTimeout(timer);
      port.off('message', listen);
      resolve(received);
    };
    const listen = (message: ThreadMessage | null): void => {
      if (message?.code === 'PINO_CONFIG') end(message.config);
      else others.push(message);
    };
    const timer = setTimeout(end, LOGGER_KEYS_WITHIN_MS, undefined);
    port.on('message', listen);
  });
  if (others.length > 0) void redeliver(others);
  return keys;
}

/** A port begins with its first listener: what was meant for thread-stream's own, which comes later, is given to it then. */
async function redeliver(messages: readonly unknown[]): Promise<void> {
  while (parentPort?.listenerCount('message') === 0) await sleep(REDELIVER_POLL_MS);
  for (const message of messages) parentPort?.emit('message', message);
}

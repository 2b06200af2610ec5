import { batchHints, type SinkContext, type SinkEvent } from '@treeline/contract';
import type { StreamConfig } from '../config/config.ts';
import type { ConsoleOptions } from '../config/console-options.ts';
import { CONSOLE_BATCH, openConsole } from './console-sink.ts';
import { loadTransport } from './load-transport.ts';
import type { OpenableSink } from './stream.ts';
import { openThreadSink } from './thread-sink.ts';

/** Our own sinks make no call that blocks; all others, and SQLite's transactions, get a thread of their own. */
const SHARED_THREAD_TYPES = new Set(['console', 'file', 'network']);

/** Finds a stream's transport; nothing is opened yet. */
export async function loadSink(
  config: StreamConfig,
  logIds: readonly string[],
  report: (event: SinkEvent) => void,
): Promise<OpenableSink> {
  const context: SinkContext = { streamName: config.name, report };
  const { moduleUrl, options } = config;
  if (moduleUrl === undefined) {
    return { batch: CONSOLE_BATCH, open: async () => openConsole(options as ConsoleOptions) };
  }
  const { definition } = await loadTransport(moduleUrl);
  const inOwnThread = !SHARED_THREAD_TYPES.has(config.type);
  return {
    batch: batchHints(definition, options),
    open: async () =>
      inOwnThread
        ? openThreadSink({ moduleUrl, options, streamName: config.name, logIds }, report)
        : definition.open(options, context),
  };
}

import { batchHints, retryPolicy, type SinkContext, type SinkEvent } from '@treeline/contract';
import { builtFile } from '../built-file.ts';
import type { StreamConfig } from '../config/config.ts';
import type { ConsoleOptions } from '../config/console-options.ts';
import { CONSOLE_BATCH, openConsole } from './console-sink.ts';
import { loadTransport } from './load-transport.ts';
import { refuseWithoutReader } from './reader-gone.ts';
import type { OpenedSink } from './stream.ts';
import { openThreadSink } from './thread-sink.ts';

/** Our own sinks make no call that blocks; all others, and SQLite's transactions, get a thread of their own. */
const SHARED_THREAD_TYPES = new Set(['console', 'file', 'network']);

/** Runs the target that a stream of type `pino` names; the target itself is loaded in the stream's thread. */
const PINO_SINK_URL = builtFile('worker/pino-sink.js').href;

export interface OpenOptions {
  /** The logs whose records will come. */
  readonly logIds: readonly string[];
  /** When it comes, a thread that runs the sink ends, whatever it is at. */
  readonly ended: AbortSignal;
  readonly report: (event: SinkEvent) => void;
}

/** Finds a stream's transport and opens its destination; the code of third parties is loaded in their own threads alone. */
export async function openSink(
  config: StreamConfig,
  { logIds, ended, report }: OpenOptions,
): Promise<OpenedSink> {
  const { options, name: streamName } = config;
  const moduleUrl = config.type === 'pino' ? PINO_SINK_URL : config.moduleUrl;
  if (moduleUrl === undefined) {
    const sink = refuseWithoutReader(openConsole(options as ConsoleOptions), report);
    return { sink, batch: CONSOLE_BATCH, retry: undefined };
  }
  if (!SHARED_THREAD_TYPES.has(config.type))
    return openThreadSink({ moduleUrl, options, streamName, logIds }, report, ended);
  const { definition } = await loadTransport(moduleUrl);
  const context: SinkContext = { streamName, report };
  const opened = await definition.open(options, context);
  return {
    sink: config.type === 'console' ? refuseWithoutReader(opened, report) : opened,
    batch: batchHints(definition, options),
    retry: retryPolicy(definition, options),
  };
}

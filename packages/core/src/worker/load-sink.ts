import { batchHints, retryPolicy, type Sink, type SinkContext, type SinkEvent } from '@treeline/contract';
import { builtFile } from '../built-file.ts';
import type { StreamConfig } from '../config/config.ts';
import type { ConsoleOptions } from '../config/console-options.ts';
import { CONSOLE_BATCH, openConsole } from './console-sink.ts';
import { loadTransport } from './load-transport.ts';
import { refuseWithoutReader } from './reader-gone.ts';
import type { OpenableSink } from './stream.ts';
import { openThreadSink } from './thread-sink.ts';

/** Our own sinks make no call that blocks; all others, and SQLite's transactions, get a thread of their own. */
const SHARED_THREAD_TYPES = new Set(['console', 'file', 'network']);

/** Runs the target that a stream of type `pino` names; the target itself is loaded in the stream's thread. */
const PINO_SINK_URL = builtFile('worker/pino-sink.js').href;

export interface LoadOptions {
  /** The logs whose records will come. */
  readonly logIds: readonly string[];
  /** When it comes, a thread that runs the sink ends, whatever it is at. */
  readonly ended: AbortSignal;
  readonly report: (event: SinkEvent) => void;
}

/** Finds a stream's transport; nothing is opened yet. */
export async function loadSink(
  config: StreamConfig,
  { logIds, ended, report }: LoadOptions,
): Promise<OpenableSink> {
  const context: SinkContext = { streamName: config.name, report };
  const { options } = config;
  const moduleUrl = config.type === 'pino' ? PINO_SINK_URL : config.moduleUrl;
  if (moduleUrl === undefined) {
    const open = async (): Promise<Sink> =>
      refuseWithoutReader(openConsole(options as ConsoleOptions), report);
    return { batch: CONSOLE_BATCH, open };
  }
  const { definition } = await loadTransport(moduleUrl);
  const inOwnThread = !SHARED_THREAD_TYPES.has(config.type);
  return {
    batch: batchHints(definition, options),
    retry: retryPolicy(definition, options),
    async open() {
      if (inOwnThread) {
        return openThreadSink({ moduleUrl, options, streamName: config.name, logIds }, report, ended);
      }
      const sink = await definition.open(options, context);
      return config.type === 'console' ? refuseWithoutReader(sink, report) : sink;
    },
  };
}

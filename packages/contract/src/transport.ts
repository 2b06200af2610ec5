import type { Writable } from 'node:stream';
import { BareStream } from './bare-stream.ts';
import type { BatchHints } from './batch-queue.ts';
import type { RetryPolicy } from './delivery.ts';
import type { OptionsSchema, SchemaIssue, SinkEvent, TransportDefinition } from './sink.ts';
import { createStderrReporter } from './stderr-reporter.ts';
import { postStatus, receiveLoggerKeys, runsInThreadStream, withoutPinoKeys } from './thread-stream.ts';

/** What a transport package exports by default: a function for pino, and its definition for core. */
export interface Transport<Options> {
  /**
   * Called by pino (`transport: { target, options }`): resolves to a Writable that splits lines, keeps back-pressure, has
   * `flush(cb)`, and emits `close` within pino's 10 s. Rejects where the destination can't be opened.
   */
  (options?: unknown): Promise<Writable>;
  readonly definition: TransportDefinition<Options>;
}

/** Declares a transport; the result is the package's default export. */
export function defineTransport<Options>(definition: TransportDefinition<Options>): Transport<Options> {
  const openBare = async (options: unknown = {}): Promise<Writable> => {
    const parsed = await parseOptions(definition, withoutPinoKeys(options));
    const inThreadStream = runsInThreadStream();
    const reporter = createStderrReporter();
    const report = (event: SinkEvent): void => {
      reporter(`@treeline/${definition.name}`, event);
      if (inThreadStream) postStatus(event);
    };
    const loggerKeys = definition.wantsLoggerKeys ? await receiveLoggerKeys() : undefined;
    const sink = await definition.open(parsed, { streamName: definition.name, loggerKeys, report });
    const stream = new BareStream(sink, {
      batch: batchHints(definition, parsed),
      retry: retryPolicy(definition, parsed),
      report,
      // thread-stream turns the error of a flush into its own error event, which pino takes as fatal.
      reportsFlushErrors: !inThreadStream,
    });
    return stream.once('close', () => reporter.flush());
  };
  return Object.assign(openBare, { definition });
}

/** The batches that a transport wants with these options. */
export function batchHints<Options>(
  { batch }: Pick<TransportDefinition<Options>, 'batch'>,
  options: Options,
): Partial<BatchHints> {
  return (typeof batch === 'function' ? batch(options) : batch) ?? {};
}

/** The waits between attempts that a transport wants with these options. */
export function retryPolicy<Options>(
  { retry }: Pick<TransportDefinition<Options>, 'retry'>,
  options: Options,
): RetryPolicy | undefined {
  return typeof retry === 'function' ? retry(options) : retry;
}

/**
 * Checks options against a transport's schema.
 *
 * @throws TypeError that names each wrong option.
 */
export async function parseOptions<Options>(
  definition: Pick<TransportDefinition<Options>, 'name' | 'options'>,
  options: unknown,
): Promise<Options> {
  const schema: OptionsSchema<Options> | undefined = definition.options;
  if (!schema) return options as Options;
  const result = await schema['~standard'].validate(options);
  if (!result.issues) return result.value;
  throw new TypeError(`${definition.name}: ${result.issues.map(formatIssue).join('; ')}`);
}

function formatIssue(issue: SchemaIssue): string {
  const path = issue.path?.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return path ? `${path}: ${issue.message}` : issue.message;
}

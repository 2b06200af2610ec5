import type { Batch } from './batch.ts';
import type { BatchHints } from './batch-queue.ts';
import type { RetryPolicy } from './delivery.ts';

/** A destination that is open. */
export interface Sink {
  /**
   * Resolves when the batch has left the process: written to the file, committed, answered with 2xx. That moves the stream's
   * cursor and counts as delivered, so a sink holds nothing back, and waits here while its destination is slow: the promise is the
   * back-pressure. One call at a time. The batch is the sink's until then and not longer: its
   * memory is used again. A rejection means that nothing of the batch is known to have arrived: it will be offered
   * again, whole.
   */
  write(batch: Batch): Promise<WriteResult | void>;
  /**
   * Makes what was written, all writes that have resolved, as durable as the sink promises. May be called while a write is under way,
   * and when nothing was written.
   */
  flush(): Promise<void>;
  /**
   * For sinks whose destination may be moved away under them, as logrotate does: lets go of it and opens it anew at its place. May be
   * called while a write is under way; a rejection is told, and the next write tries again.
   */
  reopen?(): Promise<void>;
  /**
   * Gives the destination back; closing twice is no error. May be called while a write is under way that never ends, which may then
   * reject or stay open. A write after close rejects.
   */
  close(): Promise<void>;
  /**
   * For sinks that store a batch's position in the same transaction as its data: the last settled record of a log, so that after a
   * crash nothing is written twice. Undefined for a log that the sink has never seen.
   */
  settledSeq?(logId: string): number | undefined;
}

/** What became of a batch of which not everything was delivered. Indexes are the batch's; what is not named was delivered. */
export interface WriteResult {
  /** To be offered again, in order. */
  readonly retry?: readonly number[];
  /** Why those of `retry` were not delivered; for people. */
  readonly reason?: string;
  /** Refused for good, each with its reason. */
  readonly dead?: readonly { readonly index: number; readonly reason: string }[];
}

/** What a sink tells about its condition; reasons are for people. */
export interface SinkEvent {
  readonly type: 'up' | 'down' | 'full' | 'dropped' | 'recovered' | 'warning';
  readonly reason: string;
  /** Records, where the event is about some. */
  readonly count?: number;
}

/** What a sink is told when it is opened. */
export interface SinkContext {
  /** The stream's name, for messages. */
  readonly streamName: string;
  /** What pino says of its logger, to a transport that asks for it (`wantsLoggerKeys`). */
  readonly loggerKeys?: LoggerKeys | undefined;
  /** Takes what the operator should hear of. Never throws. */
  report(event: SinkEvent): void;
}

/** How a pino logger names what it writes. */
export interface LoggerKeys {
  readonly messageKey?: string;
  readonly errorKey?: string;
  readonly levels?: { readonly values?: Readonly<Record<string, number>> };
}

/** The part of the Standard Schema interface (https://standardschema.dev) that is used here. */
export interface OptionsSchema<Options> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Options> | Promise<SchemaResult<Options>>;
    readonly types?: { readonly input: unknown; readonly output: Options } | undefined;
  };
}

type SchemaResult<Options> =
  | { readonly value: Options; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One mistake in options, with the keys that lead to it. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A method's type, so that a transport of some options is a transport of unknown ones. */
type HintsOf<Options> = { of(options: Options): Partial<BatchHints> }['of'];
type RetryOf<Options> = { of(options: Options): RetryPolicy }['of'];

/** How a kind of destination is opened. */
export interface TransportDefinition<Options> {
  /** The package's short name, for messages. */
  readonly name: string;
  /** Checks and completes the options; without it they reach `open` as they were given. */
  readonly options?: OptionsSchema<Options>;
  /** Core and the bare adapter gather batches by these; a stream's `bufferSize` and `flushInterval` change them. */
  readonly batch?: Partial<BatchHints> | HintsOf<Options>;
  /** How long to wait between attempts; 0.5 s to 30 s without it. */
  readonly retry?: RetryPolicy | RetryOf<Options>;
  /** As a pino target, waits for what pino says of its logger before it opens. */
  readonly wantsLoggerKeys?: boolean;
  /** Opens the destination; native code is loaded here and not before. */
  open(options: Options, context: SinkContext): Sink | Promise<Sink>;
}

/** Used where neither the transport nor the stream says otherwise. */
export const DEFAULT_BATCH_HINTS: BatchHints = { maxBytes: 256 * 1024, maxRecords: 10_000, maxDelayMs: 100 };

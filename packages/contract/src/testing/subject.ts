import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { createBatch, type Batch } from '../batch.ts';
import type { LogRecord } from '../record.ts';
import type { Sink, SinkEvent } from '../sink.ts';
import { parseOptions, type Transport } from '../transport.ts';
import { lines, record } from './sample-lines.ts';

/** A transport, how to look behind it, and, as far as its destination allows, how to make that fail. */
export interface TransportUnderTest<Options> {
  readonly transport: Transport<Options>;
  /** Options for a destination that no other case has used. They must survive a structured clone, as pino makes one. */
  fresh(): unknown;
  /**
   * The records that have arrived at the destination of these options, in order. Lines that are no JSON are read as `parseLine` reads
   * them. Called while the transport is open, too.
   */
  read(options: unknown): Promise<readonly LogRecord[]> | readonly LogRecord[];
  /**
   * What `read` gives for a record, where the destination does not keep records as they are: a printer, a collector with a model of its
   * own.
   *
   * @default the record itself
   */
  arrivesAs?(sent: LogRecord): LogRecord;
  /** Options that are well formed, for a destination that can't be opened: a directory that is missing, a port that nobody listens on. */
  unusable?(): unknown;
  /** Makes the destination of these options fail from now on: writes must reject, or wait. */
  break?(options: unknown): Promise<void> | void;
  /** Undoes `break`; goes with it. */
  mend?(options: unknown): Promise<void> | void;
  /** Makes the destination take nothing, without failing. */
  stall?(options: unknown): Promise<void> | void;
  /** Undoes `stall`; goes with it. */
  resume?(options: unknown): Promise<void> | void;
  /** A record that the destination refuses for good, while it takes the others. */
  refused?(): LogRecord;
  /** True where the sink has `settledSeq`: it stores a batch's position together with its data. */
  readonly storesPosition?: boolean;
  /** How long anything may take that should be quick. @default 5000 */
  readonly timeoutMs?: number;
}

/** What a case may need: a hook of `TransportUnderTest`, or that the transport declares its options. */
export type Hook = 'unusable' | 'break' | 'stall' | 'refused' | 'storesPosition' | 'options schema';

export type Check = (subject: Subject) => Promise<void>;

export type CaseTable = Readonly<Record<string, Check | { readonly needs: Hook; readonly check: Check }>>;

export type FlushingWritable = Writable & { flush(callback: (error?: Error | null) => void): void };

/** One fresh destination and the transport that is to reach it. */
export interface Subject {
  readonly options: unknown;
  readonly definition: Transport<unknown>['definition'];
  /** What the sink has reported. */
  readonly events: readonly SinkEvent[];
  readonly under: TransportUnderTest<unknown>;
  readonly open: () => Promise<Sink>;
  readonly openStream: (options?: unknown) => Promise<FlushingWritable>;
  readonly read: () => Promise<readonly LogRecord[]>;
  /** Opens the sink, closes it in the end, and fails with `what` where something takes too long. */
  readonly withSink: (use: (sink: Sink) => Promise<void>) => Promise<void>;
  readonly withStream: (use: (stream: FlushingWritable) => Promise<void>) => Promise<void>;
  /** What `read` is to give for these records. */
  readonly asArrived: (sent: readonly LogRecord[]) => readonly LogRecord[];
  readonly expectArrived: (expected: readonly LogRecord[]) => Promise<void>;
  readonly soon: <T>(what: string, promise: Promise<T>) => Promise<T>;
}

export function subjectOf<Options>(under: TransportUnderTest<Options>): Subject {
  const { definition } = under.transport;
  const options = under.fresh();
  const events: SinkEvent[] = [];
  const soon = <T>(what: string, promise: Promise<T>): Promise<T> =>
    within(under.timeoutMs ?? 5000, what, promise);
  const read = async (): Promise<readonly LogRecord[]> => under.read(options);
  const open = async (): Promise<Sink> => {
    const parsed = await parseOptions(definition, options);
    const context = { streamName: 'test', report: (event: SinkEvent) => events.push(event) };
    return soon('open', Promise.resolve(definition.open(parsed, context)));
  };
  const openStream = async (given: unknown = options): Promise<FlushingWritable> => {
    const stream = await soon('opening as a pino target', under.transport(given));
    assert.ok(
      'flush' in stream && typeof stream.flush === 'function',
      'the stream must have flush(callback)',
    );
    return stream as FlushingWritable;
  };
  const asArrived = (sent: readonly LogRecord[]): readonly LogRecord[] =>
    sent.map((each) => under.arrivesAs?.(each) ?? each);
  return {
    options,
    definition,
    events,
    asArrived,
    under,
    open,
    openStream,
    read,
    soon,
    async withSink(use) {
      const sink = await open();
      try {
        await use(sink);
      } finally {
        await soon('close', sink.close());
      }
    },
    async withStream(use) {
      const stream = await openStream();
      const errors: unknown[] = [];
      stream.on('error', (error) => errors.push(error));
      try {
        await use(stream);
      } finally {
        if (!stream.writableEnded) stream.end();
        if (!stream.closed) await soon('close after end', once(stream, 'close'));
      }
      assert.deepEqual(errors, [], 'a pino target must not emit error: pino takes it as fatal');
    },
    async expectArrived(expected) {
      assertSameRecords(await read(), asArrived(expected));
    },
  };
}

/** Rejects where the promise does not settle in time. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `${what} took longer than ${ms} ms` })),
      ms,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Names the first difference; a whole diff of ten thousand records helps nobody. */
function assertSameRecords(actual: readonly LogRecord[], expected: readonly LogRecord[]): void {
  for (const [index, wanted] of expected.entries())
    assert.deepEqual(
      actual[index],
      wanted,
      `record ${index} of ${expected.length} differs (${actual.length} arrived)`,
    );
  assert.equal(actual.length, expected.length, 'more records arrived than were sent');
}

export function records(from: number, to: number): LogRecord[] {
  return Array.from({ length: to - from }, (_, index) => record(from + index));
}

export function batchOf(sent: readonly LogRecord[], firstSeq?: number): Batch {
  return createBatch(lines(sent), firstSeq === undefined ? undefined : { logId: 'test-log', seq: firstSeq });
}

export function flushStream(stream: FlushingWritable): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.flush((error) => (error ? reject(error) : resolve()));
  });
}

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { createBatch } from '../batch.ts';
import type { LogRecord } from '../record.ts';
import type { Sink, SinkEvent } from '../sink.ts';
import { parseOptions, type Transport } from '../transport.ts';
import { lines, record } from './sample-lines.ts';

/** A transport and how to look behind it. */
export interface TransportUnderTest<Options> {
  readonly transport: Transport<Options>;
  /** Options for a destination that no other case has used. */
  fresh(): unknown;
  /** The records that have arrived at the destination of these options, in order. */
  read(options: unknown): Promise<readonly LogRecord[]> | readonly LogRecord[];
}

/** One property that every transport must have. */
export interface TransportCase {
  readonly name: string;
  run(): Promise<void>;
}

type Check = (subject: Subject) => Promise<void>;

interface Subject {
  open(): Promise<Sink>;
  openStream(): Promise<FlushingWritable>;
  read(): Promise<readonly LogRecord[]>;
  readonly events: SinkEvent[];
}

type FlushingWritable = Writable & { flush(callback: (error?: Error | null) => void): void };

/**
 * The cases that every transport passes, ours and other people's, for any test runner:
 * `for (const { name, run } of testTransport({ … })) test(name, run);`
 */
export function testTransport<Options>(under: TransportUnderTest<Options>): TransportCase[] {
  return Object.entries(CASES).map(([name, check]) => ({ name, run: () => check(subjectOf(under)) }));
}

function subjectOf<Options>(under: TransportUnderTest<Options>): Subject {
  const options = under.fresh();
  const events: SinkEvent[] = [];
  const { definition } = under.transport;
  return {
    events,
    async open() {
      const parsed = await parseOptions(definition, options);
      return definition.open(parsed, { streamName: 'test', report: (event) => events.push(event) });
    },
    openStream: async () => (await under.transport(options)) as FlushingWritable,
    read: async () => under.read(options),
  };
}

const records = (from: number, to: number): LogRecord[] =>
  Array.from({ length: to - from }, (_, index) => record(from + index));

const CASES: Record<string, Check> = {
  'a resolved write has arrived'({ open, read }) {
    return withSink(open, async (sink) => {
      await sink.write(createBatch(lines(records(0, 3))));
      await sink.flush();
      await expectRecords(read, records(0, 3));
    });
  },
  'batches arrive in order and none is missing'({ open, read }) {
    return withSink(open, async (sink) => {
      for (let index = 0; index < 50; index++)
        await sink.write(createBatch(lines(records(index * 20, index * 20 + 20))));
      await sink.flush();
      await expectRecords(read, records(0, 1000));
    });
  },
  'a batch of ten thousand records arrives'({ open, read }) {
    return withSink(open, async (sink) => {
      await sink.write(createBatch(lines(records(0, 10_000))));
      await sink.flush();
      assert.equal((await read()).length, 10_000);
    });
  },
  'a line of a megabyte arrives whole'({ open, read }) {
    return withSink(open, async (sink) => {
      const huge = record(0, { text: 'x'.repeat(1024 * 1024) });
      await sink.write(createBatch(lines([huge])));
      await sink.flush();
      await expectRecords(read, [huge]);
    });
  },
  'text beyond ASCII arrives as it was'({ open, read }) {
    return withSink(open, async (sink) => {
      const texts = ['Grüße', '日本語', '👩‍👩‍👧', 'null \u0000 byte', 'line\nfeed', '\u2028'];
      const sent = texts.map((text, index) => record(index, { text }));
      await sink.write(createBatch(lines(sent)));
      await sink.flush();
      await expectRecords(read, sent);
    });
  },
  'flush without a write resolves'({ open }) {
    return withSink(open, (sink) => sink.flush());
  },
  'closing twice is no error'({ open }) {
    return withSink(open, (sink) => sink.close());
  },
  'what was written is there after close without flush'({ open, read }) {
    return withSink(open, async (sink) => {
      await sink.write(createBatch(lines(records(0, 10))));
      await sink.close();
      await expectRecords(read, records(0, 10));
    });
  },
  'an ordinary life reports no fault'({ open, events }) {
    return withSink(open, async (sink) => {
      await sink.write(createBatch(lines(records(0, 10))));
      await sink.close();
      assert.deepEqual(
        events.filter((event) => event.type === 'down' || event.type === 'dropped'),
        [],
      );
    });
  },
  async 'as a pino target, chunks may end in the middle of a character'({ openStream, read }) {
    const stream = await openStream();
    const sent = Array.from({ length: 20 }, (_, index) => record(index, { text: 'é日👍' }));
    const bytes = lines(sent);
    for (let start = 0; start < bytes.length; start += 7) stream.write(bytes.subarray(start, start + 7));
    await end(stream);
    await expectRecords(read, sent);
  },
  async 'as a pino target, flush calls back when the records have arrived'({ openStream, read }) {
    const stream = await openStream();
    stream.write(lines(records(0, 100)));
    await new Promise<void>((resolve, reject) => {
      stream.flush((error) => (error ? reject(error) : resolve()));
    });
    await expectRecords(read, records(0, 100));
    await end(stream);
  },
  async 'as a pino target, a last line without a line feed arrives'({ openStream, read }) {
    const stream = await openStream();
    const bytes = lines(records(0, 2));
    stream.write(bytes.subarray(0, bytes.length - 1));
    await end(stream);
    await expectRecords(read, records(0, 2));
  },
  async 'as a pino target, ending emits close after everything has arrived'({ openStream, read }) {
    const stream = await openStream();
    for (let index = 0; index < 100; index++) stream.write(lines(records(index * 10, index * 10 + 10)));
    await end(stream);
    await expectRecords(read, records(0, 1000));
  },
};

async function withSink(open: () => Promise<Sink>, use: (sink: Sink) => Promise<void>): Promise<void> {
  const sink = await open();
  try {
    await use(sink);
  } finally {
    await sink.close();
  }
}

async function expectRecords(
  read: () => Promise<readonly LogRecord[]>,
  expected: readonly LogRecord[],
): Promise<void> {
  assert.deepEqual(await read(), expected);
}

async function end(stream: Writable): Promise<void> {
  stream.end();
  await once(stream, 'close');
}

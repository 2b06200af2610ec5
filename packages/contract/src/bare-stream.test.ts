import { once } from 'node:events';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { BareStream, type BareStreamOptions } from './bare-stream.ts';
import type { Sink, SinkEvent } from './sink.ts';
import { createFailingSink, createSlowSink, createStuckSink } from './testing/faulty-sinks.ts';
import { createMemorySink } from './testing/memory-sink.ts';
import { lines, record } from './testing/sample-lines.ts';

function streamInto(
  sink: Sink,
  options: Partial<BareStreamOptions> = {},
): { stream: BareStream; events: SinkEvent[] } {
  const events: SinkEvent[] = [];
  const stream = new BareStream(sink, {
    batch: { maxDelayMs: 10 },
    report: (event) => events.push(event),
    closeDeadlineMs: 200,
    ...options,
  });
  return { stream, events };
}

function bytes(from: number, to: number): Buffer {
  return lines(Array.from({ length: to - from }, (_, index) => record(from + index)));
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `record ${from + index}`);
}

function flush(stream: BareStream): Promise<Error | null | undefined> {
  return new Promise((resolve) => {
    stream.flush(resolve);
  });
}

async function end(stream: BareStream): Promise<void> {
  const closed = once(stream, 'close');
  stream.end();
  await closed;
}

describe('BareStream', () => {
  test('gathers lines until the longest delay has passed', async () => {
    const sink = createMemorySink();
    const { stream } = streamInto(sink, { batch: { maxDelayMs: 200 } });
    for (let index = 0; index < 10; index++) stream.write(bytes(index, index + 1));
    await setImmediate();
    expect(sink.calls).toEqual([]);
    await vi.waitFor(() => expect(sink.batches.map(({ count }) => count)).toEqual([10]));
    await end(stream);
  });

  test('sends a full batch at once', async () => {
    const sink = createMemorySink();
    const { stream } = streamInto(sink, { batch: { maxDelayMs: 60_000, maxRecords: 5 } });
    stream.write(bytes(0, 7));
    await vi.waitFor(() => expect(sink.batches.map(({ count }) => count)).toEqual([5]));
    await end(stream);
    expect(sink.batches.map(({ count }) => count)).toEqual([5, 2]);
  });

  test('flushes the sink once it has delivered what was written before, and before what comes after', async () => {
    const sink = createSlowSink(5);
    const { stream } = streamInto(sink);
    stream.write(bytes(0, 3));
    const flushed = flush(stream);
    stream.write(bytes(3, 4));
    expect(await flushed).toBeUndefined();
    expect(sink.records.map(({ msg }) => msg)).toEqual(expect.arrayContaining(numbers(0, 3)));
    expect(sink.calls.at(-1)).toBe('flush');
    await end(stream);
    expect(sink.records.map(({ msg }) => msg)).toEqual(numbers(0, 4));
  });

  test('calls back a flush while others keep writing', async () => {
    const sink = createSlowSink(1);
    const { stream } = streamInto(sink, { batch: { maxDelayMs: 1, maxRecords: 1 } });
    let written = 0;
    const writing = setInterval(() => {
      for (let times = 0; times < 10; times++) stream.write(bytes(written, ++written));
    }, 1);
    await setTimeout(10);
    await flush(stream);
    clearInterval(writing);
    expect(sink.records.length).toBeLessThan(written);
    stream.destroy();
  });

  test('a line that is written when a flush calls back is not left behind', async () => {
    const sink = createMemorySink();
    const { stream } = streamInto(sink);
    for (let index = 0; index < 20; index++) {
      stream.write(bytes(index, index + 1));
      await flush(stream);
    }
    await flush(stream);
    expect(sink.records.map(({ msg }) => msg)).toEqual(numbers(0, 20));
    await end(stream);
  });

  test('honours records that are to be tried again or are dead, in order', async () => {
    const sink = createMemorySink();
    sink.outcomes.push(
      async () => ({ retry: [4, 1, 2], dead: [{ index: 0, reason: 'too old' }] }),
      async () => ({ retry: [2], dead: [{ index: 0, reason: 'too old' }] }),
    );
    const { stream, events } = streamInto(sink);
    stream.write(bytes(0, 5));
    await vi.waitFor(() => expect(sink.calls).toEqual(['write']));
    stream.write(bytes(5, 6));
    await flush(stream);
    // 0 is dead, 3 was delivered at first, 1 died later, then came 2, and 4 after it.
    expect(sink.records.map(({ msg }) => msg)).toEqual([3, 2, 4, 5].map((index) => `record ${index}`));
    expect(events.filter(({ type }) => type === 'dropped')).toEqual([
      { type: 'dropped', reason: 'too old', count: 2 },
    ]);
    await end(stream);
  }, 10_000);

  test('takes in some megabytes while its sink is stuck, and no more', async () => {
    const sink = createStuckSink();
    const { stream } = streamInto(sink);
    const chunk = bytes(0, 5000);
    let accepted = 0;
    while (stream.write(chunk)) accepted += chunk.length;
    expect(accepted).toBeGreaterThan(16 * 1024 * 1024);
    expect(accepted).toBeLessThan(24 * 1024 * 1024);
    sink.release();
    await once(stream, 'drain');
    await end(stream);
    expect(sink.records.length).toBe(((accepted + chunk.length) / chunk.length) * 5000);
  });

  test.each([
    ['one batch', 10],
    ['more than it takes in', 400_000],
  ])(
    'closes at its deadline with %s undelivered, and tells how many records were lost',
    async (_name, count) => {
      const { stream, events } = streamInto(createStuckSink());
      stream.write(bytes(0, 3));
      for (let from = 3; from < count; from += 10_000)
        stream.write(bytes(from, Math.min(count, from + 10_000)));
      const startMs = performance.now();
      await end(stream);
      expect(performance.now() - startMs).toBeLessThan(5000);
      expect(events).toEqual([{ type: 'dropped', reason: 'not delivered before the stream closed', count }]);
    },
  );

  test('calls back each flush that is pending at the deadline, with TIMEOUT', async () => {
    const { stream } = streamInto(createStuckSink());
    stream.write(bytes(0, 3));
    const flushes = [flush(stream), flush(stream)];
    await setTimeout(5);
    await end(stream);
    expect((await Promise.all(flushes)).map((error) => (error as { code?: string }).code)).toEqual([
      'TIMEOUT',
      'TIMEOUT',
    ]);
  });

  test('waits a second longer for a sink that does not close', async () => {
    const sink = { ...createMemorySink(), close: () => new Promise<void>(() => undefined) };
    const { stream, events } = streamInto(sink, { closeDeadlineMs: 50 });
    await end(stream);
    expect(events).toEqual([{ type: 'warning', reason: 'the destination did not close in time' }]);
  });

  test('flushes and closes the sink, in this order, when it ends', async () => {
    const sink = createMemorySink();
    const { stream } = streamInto(sink);
    stream.write(bytes(0, 1));
    await end(stream);
    expect(sink.calls).toEqual(['write', 'flush', 'close']);
  });

  test('closes the sink once when it is destroyed, and tells what was lost', async () => {
    const sink = createStuckSink();
    const { stream, events } = streamInto(sink);
    stream.write(bytes(0, 3));
    const closed = once(stream, 'close');
    stream.destroy();
    await closed;
    expect(sink.calls).toEqual(['close']);
    expect(events).toEqual([{ type: 'dropped', reason: 'not delivered before the stream closed', count: 3 }]);
  });

  test.each([
    ['writes reject', createFailingSink('no route')],
    [
      'writes throw',
      {
        ...createMemorySink(),
        write: () => {
          throw new Error('no route');
        },
      },
    ],
    [
      'flushes reject',
      {
        ...createMemorySink(),
        flush: async () => {
          throw new Error('no route');
        },
      },
    ],
    [
      'flushes throw',
      {
        ...createMemorySink(),
        flush: () => {
          throw new Error('no route');
        },
      },
    ],
    [
      'close rejects',
      {
        ...createMemorySink(),
        close: async () => {
          throw new Error('no route');
        },
      },
    ],
    [
      'close throws',
      {
        ...createMemorySink(),
        close: () => {
          throw new Error('no route');
        },
      },
    ],
  ])('emits no error when %s, but reports it', async (_name, sink: Sink) => {
    const { stream, events } = streamInto(sink);
    const errors: unknown[] = [];
    stream.on('error', (error) => errors.push(error));
    stream.write(bytes(0, 3));
    await end(stream);
    expect(errors).toEqual([]);
    expect(events).toContainEqual({ type: 'down', reason: expect.stringContaining('no route') as string });
  });

  test('hands a failed flush to its caller, unless that would end the process over it', async () => {
    const sink = {
      ...createMemorySink(),
      flush: async () => {
        throw new Error('no room');
      },
    };
    const { stream } = streamInto(sink);
    expect((await flush(stream))?.message).toBe('no room');
    const { stream: inThread, events } = streamInto(sink, { reportsFlushErrors: false });
    expect(await flush(inThread)).toBeUndefined();
    expect(events).toEqual([{ type: 'down', reason: 'flush failed: no room' }]);
  });

  test('tells how many lines it had to cut', async () => {
    const sink = createMemorySink();
    const { stream, events } = streamInto(sink);
    stream.write(Buffer.alloc(17 * 1024 * 1024, 'x'));
    await end(stream);
    expect(sink.records.map(({ msg }) => msg?.length)).toEqual([16 * 1024 * 1024]);
    expect(events).toEqual([{ type: 'warning', reason: 'lines over 16M were cut', count: 1 }]);
  });
});

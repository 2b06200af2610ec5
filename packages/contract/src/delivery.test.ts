import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBatch } from './batch.ts';
import { backoffMs, deliver, raceAbort } from './delivery.ts';
import type { WriteResult } from './sink.ts';
import { createFailingSink, createStuckSink } from './testing/faulty-sinks.ts';
import { createMemorySink } from './testing/memory-sink.ts';
import { lines, record } from './testing/sample-lines.ts';

const QUICK = { minMs: 0, maxMs: 0 };

function sample(count: number): ReturnType<typeof createBatch> {
  return createBatch(lines(Array.from({ length: count }, (_, index) => record(index))));
}

function patience(): AbortSignal {
  return new AbortController().signal;
}

describe('deliver', () => {
  test('delivers at the first attempt without a word', async () => {
    const told: string[] = [];
    const delivery = await deliver(createMemorySink(), sample(3), {
      signal: patience(),
      onFault: (reason) => told.push(reason),
      onRecovered: () => told.push('recovered'),
    });
    expect(delivery).toEqual({ delivered: 3, dead: [], pending: undefined });
    expect(told).toEqual([]);
  });

  test('offers the whole batch again after a rejection, and tells when it is through', async () => {
    const sink = createMemorySink();
    sink.outcomes.push(
      async () => Promise.reject(new Error('down')),
      async () => Promise.reject(new Error('down')),
    );
    const told: string[] = [];
    const delivery = await deliver(sink, sample(3), {
      signal: patience(),
      retry: QUICK,
      onFault: (reason, attempt) => told.push(`${reason} ${attempt}`),
      onRecovered: () => told.push('recovered'),
    });
    expect(delivery.delivered).toBe(3);
    expect(told).toEqual(['down 1', 'down 2', 'recovered']);
  });

  test('tells why a part is tried again, in the words of the sink where it has any', async () => {
    const sink = createMemorySink();
    sink.outcomes.push(
      async () => ({ retry: [0, 2], reason: 'the queue is full' }),
      async () => ({ retry: [1] }),
    );
    const told: string[] = [];
    await deliver(sink, sample(3), {
      signal: patience(),
      retry: QUICK,
      onFault: (reason) => told.push(reason),
    });
    expect(told).toEqual(['the queue is full', '1 records were refused for now']);
  });

  test('gives up what is pending when the signal comes, while it waits and while a write is stuck', async () => {
    for (const sink of [createFailingSink(), createStuckSink()]) {
      const delivery = await deliver(sink, sample(3), {
        signal: AbortSignal.timeout(20),
        retry: { minMs: 60_000, maxMs: 60_000 },
      });
      expect([delivery.delivered, delivery.pending?.count]).toEqual([0, 3]);
    }
  });

  test('attempts nothing when the signal has come before', async () => {
    const sink = createMemorySink();
    expect((await deliver(sink, sample(3), { signal: AbortSignal.abort() })).pending?.count).toBe(3);
    expect(sink.calls).toEqual([]);
  });

  test('keeps the lines of the dead, by their bytes', async () => {
    const sink = createMemorySink();
    sink.outcomes.push(
      async () => ({ retry: [2], dead: [{ index: 1, reason: 'odd' }] }),
      async () => ({ dead: [{ index: 0, reason: 'odd too' }] }),
    );
    const { delivered, dead } = await deliver(sink, sample(3), { signal: patience(), retry: QUICK });
    expect(delivered).toBe(1);
    expect(
      dead.map(({ line, reason }) => [(JSON.parse(line.toString()) as { msg: string }).msg, reason]),
    ).toEqual([
      ['record 1', 'odd'],
      ['record 2', 'odd too'],
    ]);
  });

  test('tells of a result that names no record of the batch, and takes the rest of it', async () => {
    const sink = createMemorySink();
    sink.outcomes.push(async () => ({ dead: [{ index: 7, reason: 'odd' }] }));
    const told: string[] = [];
    const delivery = await deliver(sink, sample(3), {
      signal: patience(),
      onFault: (reason) => told.push(reason),
    });
    expect(delivery).toEqual({ delivered: 3, dead: [], pending: undefined });
    expect(told).toEqual(['the sink named record 7 of a batch of 3']);
  });

  test('accounts for every record once, whatever results a sink makes up', async () => {
    const index = fc.integer({ min: -2, max: 8 });
    const result: fc.Arbitrary<WriteResult> = fc.record({
      retry: fc.array(index),
      dead: fc.array(fc.record({ index, reason: fc.constant('odd') })),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.array(result, { maxLength: 4 }),
        async (count, results) => {
          const sink = createMemorySink();
          sink.outcomes.push(...results.map((each) => async () => each));
          const { delivered, dead, pending } = await deliver(sink, sample(count), {
            signal: patience(),
            retry: QUICK,
          });
          expect(delivered + dead.length).toBe(count);
          expect(pending).toBeUndefined();
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('backoffMs', () => {
  test('waits at random up to a bound that doubles, to a limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), (attempt) => {
        const ms = backoffMs(attempt, { minMs: 100, maxMs: 5000 });
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThan(Math.min(5000, 100 * 2 ** (attempt - 1)));
      }),
    );
  });
});

describe('raceAbort', () => {
  test('gives what comes first', async () => {
    expect(await raceAbort(Promise.resolve(1), patience())).toBe(1);
    expect(await raceAbort(new Promise(() => undefined), AbortSignal.timeout(1))).toBe('aborted');
    await expect(raceAbort(Promise.reject(new Error('x')), patience())).rejects.toThrow('x');
  });

  test('leaves no unhandled rejection behind when the signal has come already', async () => {
    let reject = (_error: Error): void => undefined;
    const promise = new Promise<void>((_resolve, rejectPromise) => {
      reject = rejectPromise;
    });
    expect(await raceAbort(promise, AbortSignal.abort())).toBe('aborted');
    // The runner fails a test file over an unhandled rejection.
    reject(new Error('too late'));
  });
});

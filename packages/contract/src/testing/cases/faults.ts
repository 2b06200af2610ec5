import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { deliver } from '../../delivery.ts';
import type { LogRecord } from '../../record.ts';
import { lines } from '../sample-lines.ts';
import { batchOf, flushStream, records, within, type CaseTable } from '../subject.ts';

/** pino gives a transport 10 s to close. */
const PINO_DEADLINE_MS = 10_000;

/** How long to watch that something does not happen. */
const WATCH_MS = 150;

/** Far over the rule of 50 ms: a thread that is stuck in a native call stays so, and a test machine may be busy. */
const LONGEST_BLOCK_MS = 1000;

/** What a destination does to a transport that fails, stalls or refuses. */
export const faultCases: CaseTable = {
  'a write to a broken destination is not taken for delivered': {
    needs: 'break',
    check: ({ withSink, under, options, soon }) =>
      withSink(async (sink) => {
        await under.break?.(options);
        const outcome = await Promise.race([
          settled(sink.write(batchOf(records(0, 5)))),
          setTimeout(WATCH_MS),
        ]);
        await under.mend?.(options);
        if (outcome && 'value' in outcome)
          assert.equal(
            outcome.value?.retry?.length,
            5,
            'a write that resolves must name what is to be tried again',
          );
        await soon('flush after mending', settled(sink.flush()));
      }),
  },

  'what a broken destination did not take arrives when it is mended': {
    needs: 'break',
    check: ({ withSink, under, options, read, soon }) =>
      withSink(async (sink) => {
        await sink.write(batchOf(records(0, 5)));
        await under.break?.(options);
        const { signal } = new AbortController();
        const delivering = deliver(sink, batchOf(records(5, 10)), {
          signal,
          retry: { minMs: 10, maxMs: 50 },
        });
        await setTimeout(WATCH_MS);
        await under.mend?.(options);
        const delivery = await soon('delivery after mending', delivering);
        assert.equal(delivery.delivered, 5);
        await sink.write(batchOf(records(10, 15)));
        await sink.flush();
        assertInOrder(await read(), records(0, 15));
      }),
  },

  'flushing a broken destination settles': {
    needs: 'break',
    check: ({ withSink, under, options, soon }) =>
      withSink(async (sink) => {
        await sink.write(batchOf(records(0, 5)));
        await under.break?.(options);
        await soon('flush', settled(sink.flush()));
        await under.mend?.(options);
      }),
  },

  'closing a broken destination is no error': {
    needs: 'break',
    check: async ({ open, under, options, soon }) => {
      const sink = await open();
      await sink.write(batchOf(records(0, 5)));
      await under.break?.(options);
      await soon('close', sink.close());
      await under.mend?.(options);
    },
  },

  'as a pino target, a broken destination emits no error, and all arrives when it is mended': {
    needs: 'break',
    check: ({ withStream, under, options, read, soon }) =>
      withStream(async (stream) => {
        await under.break?.(options);
        stream.write(lines(records(0, 50)));
        const flushed = flushStream(stream);
        await setTimeout(WATCH_MS);
        await under.mend?.(options);
        await soon('flush after mending', flushed);
        assertInOrder(await read(), records(0, 50));
      }),
  },

  'as a pino target, it closes in time and without an error though its destination stays broken': {
    needs: 'break',
    check: async ({ openStream, under, options }) => {
      const stream = await openStream();
      const errors: unknown[] = [];
      stream.on('error', (error) => errors.push(error));
      await under.break?.(options);
      // More than any sensible buffer: a transport that holds its input back must close in time, too.
      for (let times = 0; times < 20; times++) stream.write(lines(records(0, 5000)));
      stream.end();
      await within(PINO_DEADLINE_MS, 'close after end', once(stream, 'close'));
      await under.mend?.(options);
      assert.deepEqual(errors, []);
    },
  },

  'a write waits while its destination takes nothing, and the thread stays free': {
    needs: 'stall',
    check: ({ withSink, under, options, expectArrived, soon }) =>
      withSink(async (sink) => {
        await under.stall?.(options);
        const batch = batchOf(records(0, 100));
        const startMs = performance.now();
        const writing = sink.write(batch);
        const outcome = await Promise.race([settled(writing), setTimeout(WATCH_MS)]);
        const lateMs = Math.round(performance.now() - startMs - WATCH_MS);
        await under.resume?.(options);
        assert.equal(outcome, undefined, 'a write must stay pending while nothing is taken');
        assert.ok(lateMs < LONGEST_BLOCK_MS, `the thread was blocked for ${lateMs} ms`);
        await soon('the write', writing);
        await sink.flush();
        await expectArrived(records(0, 100));
      }),
  },

  'closing while a write is stuck resolves': {
    needs: 'stall',
    check: async ({ open, under, options, soon }) => {
      const sink = await open();
      await under.stall?.(options);
      void settled(sink.write(batchOf(records(0, 100))));
      await soon('close', sink.close());
      await under.resume?.(options);
    },
  },

  'records that are refused for good are named, and the others arrive': {
    needs: 'refused',
    check: ({ withSink, under, expectArrived }) =>
      withSink(async (sink) => {
        const [first, ...rest] = records(0, 4);
        const sent = [first, under.refused?.(), ...rest, under.refused?.()].filter(
          (each) => each !== undefined,
        );
        const result = await sink.write(batchOf(sent));
        assert.deepEqual(
          result?.dead?.map(({ index }) => index).toSorted((a, b) => a - b),
          [1, 5],
        );
        assert.ok(
          result?.dead?.every(({ reason }) => reason !== ''),
          'each must have a reason',
        );
        await sink.flush();
        await expectArrived(records(0, 4));
      }),
  },

  'as a pino target, a refused record holds nobody up': {
    needs: 'refused',
    check: ({ withStream, under, expectArrived, soon }) =>
      withStream(async (stream) => {
        const refused = under.refused?.();
        stream.write(lines([...records(0, 2), ...(refused ? [refused] : []), ...records(2, 4)]));
        await soon('flush', flushStream(stream));
        await expectArrived(records(0, 4));
      }),
  },
};

type Settled<T> = { readonly value: T } | { readonly error: unknown };

function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

/** Whatever a fault interrupted may have arrived twice, but nothing may be missing or overtake. */
function assertInOrder(arrived: readonly LogRecord[], expected: readonly LogRecord[]): void {
  const first = new Map<unknown, number>();
  for (const [index, { msg }] of arrived.entries()) if (!first.has(msg)) first.set(msg, index);
  const order = expected.map(({ msg }) => first.get(msg) ?? -1);
  assert.ok(!order.includes(-1), `record ${order.indexOf(-1)} of ${expected.length} is missing`);
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
    'records arrived out of order',
  );
}

import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { createBatch, joinBatches, selectLines, sliceBatch } from '../../batch.ts';
import type { LogRecord } from '../../record.ts';
import { lines, record } from '../sample-lines.ts';
import { batchOf, records, type CaseTable, type Check, type Subject } from '../subject.ts';

/** The thread of a transport is shared; the rule is 50 ms, with room for a busy test machine. */
const LONGEST_BLOCK_MS = 250;

/** What is written arrives as it is. */
export const deliveryCases: CaseTable = {
  'a resolved write has arrived': (subject) => arrives(subject, records(0, 3)),

  'batches arrive in order and none is missing': ({ withSink, expectArrived }) =>
    withSink(async (sink) => {
      for (let from = 0; from < 1000; from += 20) await sink.write(batchOf(records(from, from + 20)));
      await sink.flush();
      await expectArrived(records(0, 1000));
    }),

  'a batch of ten thousand records arrives': (subject) => arrives(subject, records(0, 10_000)),

  'a batch of ten thousand records leaves the thread free': ({ withSink }) =>
    withSink(async (sink) => {
      const blocks: number[] = [];
      // A busy machine may hold the thread up once; a sink that blocks does so every time.
      while (blocks.length < 3 && !blocks.some((ms) => ms < LONGEST_BLOCK_MS))
        blocks.push(await longestBlockMs(() => sink.write(batchOf(records(0, 10_000)))));
      const least = Math.round(Math.min(...blocks));
      assert.ok(least < LONGEST_BLOCK_MS, `the thread was blocked for ${least} ms`);
    }),

  'a batch of one record arrives': (subject) => arrives(subject, records(0, 1)),

  'a batch without records is no error': ({ withSink, expectArrived }) =>
    withSink(async (sink) => {
      await sink.write(createBatch(Buffer.alloc(0)));
      await sink.write(batchOf(records(0, 1)));
      await sink.flush();
      await expectArrived(records(0, 1));
    }),

  'a line of a megabyte arrives whole': (subject) =>
    arrives(subject, [record(0, { text: 'x'.repeat(1024 * 1024) })]),

  'lines of many lengths arrive whole': (subject) =>
    arrives(
      subject,
      [0, 1, 255, 256, 4095, 4096, 8191, 16_384, 65_535, 65_536].map((length, index) =>
        record(index, { text: 'x'.repeat(length) }),
      ),
    ),

  'text beyond ASCII arrives as it was': (subject) =>
    arrives(
      subject,
      ['Grüße', '日本語', '👩‍👩‍👧', '\u2028', '\ud800 alone', '\ufeff'].map((text, index) =>
        record(index, { text }),
      ),
    ),

  'control characters inside a text arrive as they were': (subject) =>
    arrives(
      subject,
      ['line\nfeed', 'return\r', 'null \u0000 byte', '\u001b[31m', '"quoted"', '\\'].map((text, index) =>
        record(index, { text }),
      ),
    ),

  'every level arrives, also a level of the user': (subject) =>
    arrives(
      subject,
      [10, 20, 30, 40, 50, 60, 35, 1000].map((level, index) => ({ ...record(index), level })),
    ),

  'a record without time and message arrives': (subject) => arrives(subject, [{ level: 30, a: 1 }]),

  'awkward keys arrive': (subject) =>
    arrives(subject, [
      record(0, { '': 1, 'a.b': 2, $where: 3, constructor: 4, "quote'd": 5, 'drop table': 6, ключ: 7 }),
    ]),

  'numbers, booleans, null and empty values arrive as they were': (subject) =>
    arrives(subject, [
      record(0, { values: [0.1, 1e308, -1, Number.MAX_SAFE_INTEGER, true, false, null, '', [], {}] }),
    ]),

  'a nested record arrives whole': (subject) => {
    let nested: unknown = 'bottom';
    for (let depth = 0; depth < 100; depth++) nested = { nested };
    return arrives(subject, [record(0, { nested })]);
  },

  'equal records all arrive': (subject) => arrives(subject, [record(0), record(0), record(0)]),

  'a line that is no JSON arrives as text': (subject) =>
    arriveLines(subject, ['plain text', '[1,2]', '"text"', 'null', '{"level":50,"msg":"cut he']),

  'a line that is no UTF-8 harms no other': ({ withSink, read, asArrived }) =>
    withSink(async (sink) => {
      const broken = Buffer.from([0x7b, 0xff, 0xfe, 0xc3, 0x28, 0x0a]);
      await sink.write(createBatch(Buffer.concat([lines(records(0, 1)), broken, lines(records(1, 2))])));
      await sink.flush();
      const arrived = await read();
      assert.equal(arrived.length, 3, 'a line that is no UTF-8 must be kept, and only its own');
      assert.deepEqual([arrived[0], arrived[2]], asArrived(records(0, 2)));
    }),

  'slices, selections and joins of batches arrive': ({ withSink, expectArrived }) =>
    withSink(async (sink) => {
      const batch = batchOf(records(0, 10));
      await sink.write(sliceBatch(batch, 0, 2));
      await sink.write(selectLines(sliceBatch(batch, 2, 8), [0, 2, 5]));
      await sink.write(joinBatches([sliceBatch(batch, 8, 9), sliceBatch(batch, 9, 10)]));
      await sink.flush();
      await expectArrived([0, 1, 2, 4, 7, 8, 9].map((index) => record(index)));
    }),

  'a batch is left as it was, since other sinks share it': ({ withSink }) =>
    withSink(async (sink) => {
      const batch = batchOf(records(0, 20));
      const before = JSON.stringify([batch.bytes.toString('latin1'), batch.records()]);
      await sink.write(batch);
      await sink.flush();
      assert.equal(JSON.stringify([batch.bytes.toString('latin1'), batch.records()]), before);
    }),

  'a position is stored with its batch': {
    needs: 'storesPosition',
    check: async ({ withSink, open, soon }) => {
      await withSink(async (sink) => {
        await sink.write(batchOf(records(0, 5), 1));
        assert.equal(sink.settledSeq?.('test-log'), 5);
        assert.equal(sink.settledSeq?.('another log'), undefined);
      });
      const again = await open();
      assert.equal(again.settledSeq?.('test-log'), 5, 'the position must be there after opening again');
      await soon('close', again.close());
    },
  },
};

async function longestBlockMs(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  // The histogram measures from one turn of the loop to the next: it needs one before, and one behind.
  await setTimeout(20);
  await work();
  await setTimeout(20);
  delay.disable();
  return delay.max / 1e6;
}

function arrives({ withSink, expectArrived }: Subject, sent: readonly LogRecord[]): ReturnType<Check> {
  return withSink(async (sink) => {
    const result = await sink.write(batchOf(sent));
    assert.deepEqual([result?.retry ?? [], result?.dead ?? []], [[], []], 'no record may be refused');
    await sink.flush();
    await expectArrived(sent);
  });
}

function arriveLines({ withSink, read }: Subject, texts: readonly string[]): ReturnType<Check> {
  return withSink(async (sink) => {
    await sink.write(createBatch(Buffer.from(texts.map((text) => `${text}\n`).join(''))));
    await sink.flush();
    // Not the level: of a line that was cut, its prefix still tells it to those who read prefixes.
    const arrived = await read();
    assert.deepEqual(
      arrived.map(({ msg }) => msg),
      texts,
    );
  });
}

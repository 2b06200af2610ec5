import assert from 'node:assert/strict';
import { once } from 'node:events';
import { lines, record } from '../sample-lines.ts';
import { flushStream, records, type CaseTable } from '../subject.ts';

/** The default export as pino calls it, `transport: { target, options }`, without core. */
export const pinoTargetCases: CaseTable = {
  'as a pino target, the keys that pino adds to the options are no mistake': async ({
    options,
    openStream,
    soon,
  }) => {
    const given = {
      ...(options as object),
      $context: { threadStreamVersion: '4.0.0' },
      pinoWillSendConfig: true,
      levels: { labels: { 30: 'info' }, values: { info: 30 } },
    };
    const stream = await openStream(structuredClone(given));
    stream.end();
    await soon('close after end', once(stream, 'close'));
  },

  'as a pino target, a destination that can not be opened rejects': {
    needs: 'unusable',
    check: async ({ under, soon }) => {
      await assert.rejects(
        soon('refusing', under.transport(under.unusable?.())),
        (error) => error instanceof Error && !(error instanceof assert.AssertionError),
      );
    },
  },

  'as a pino target, chunks may end in the middle of a character': ({ withStream, expectArrived, soon }) =>
    withStream(async (stream) => {
      const sent = Array.from({ length: 20 }, (_, index) => record(index, { text: 'é日👍' }));
      const bytes = lines(sent);
      for (let start = 0; start < bytes.length; start += 7) stream.write(bytes.subarray(start, start + 7));
      await soon('flush', flushStream(stream));
      await expectArrived(sent);
    }),

  'as a pino target, texts are taken as well as bytes': ({ withStream, expectArrived, soon }) =>
    withStream(async (stream) => {
      stream.write(lines([record(0, { text: 'é日👍' })]).toString());
      await soon('flush', flushStream(stream));
      await expectArrived([record(0, { text: 'é日👍' })]);
    }),

  'as a pino target, empty lines leave no record': ({ withStream, expectArrived, soon }) =>
    withStream(async (stream) => {
      stream.write('\n\n');
      stream.write(Buffer.concat([lines(records(0, 1)), Buffer.from('\n\n'), lines(records(1, 2))]));
      stream.write('\n');
      await soon('flush', flushStream(stream));
      await expectArrived(records(0, 2));
    }),

  'as a pino target, flush calls back when the records have arrived': ({ withStream, expectArrived, soon }) =>
    withStream(async (stream) => {
      stream.write(lines(records(0, 100)));
      await soon('flush', flushStream(stream));
      await expectArrived(records(0, 100));
    }),

  'as a pino target, flush without a write calls back': ({ withStream, soon }) =>
    withStream((stream) => soon('flush', flushStream(stream))),

  'as a pino target, each flush covers what was written before it': ({ withStream, read, soon }) =>
    withStream(async (stream) => {
      const flushes: Promise<void>[] = [];
      for (let from = 0; from < 500; from += 50) {
        stream.write(lines(records(from, from + 50)));
        const check = async (): Promise<void> => {
          await flushStream(stream);
          assert.ok(
            (await read()).length >= from + 50,
            `flush called back before record ${from + 49} had arrived`,
          );
        };
        flushes.push(check());
      }
      await soon('flush', Promise.all(flushes));
    }),

  'as a pino target, flush after the end calls back': ({ withStream, expectArrived, soon }) =>
    withStream(async (stream) => {
      stream.write(lines(records(0, 10)));
      stream.end();
      await soon('flush', flushStream(stream));
      await expectArrived(records(0, 10));
    }),

  'as a pino target, a last line without a line feed arrives': async ({ withStream, expectArrived }) => {
    await withStream(async (stream) => {
      const bytes = lines(records(0, 2));
      stream.write(bytes.subarray(0, bytes.length - 1));
    });
    await expectArrived(records(0, 2));
  },

  'as a pino target, ending emits close after everything has arrived': async ({
    openStream,
    expectArrived,
    soon,
  }) => {
    const stream = await openStream();
    for (let index = 0; index < 100; index++) stream.write(lines(records(index * 10, index * 10 + 10)));
    stream.end();
    await soon('close after end', once(stream, 'close'));
    await expectArrived(records(0, 1000));
  },

  'as a pino target, a writer that heeds back-pressure gets everything through': ({
    withStream,
    read,
    soon,
    asArrived,
  }) =>
    withStream(async (stream) => {
      // Some 30 MB: more than the adapter takes in at once.
      const text = 'x'.repeat(3000);
      for (let from = 0; from < 10_000; from += 500) {
        const sent = records(from, from + 500).map((each) => ({ ...each, text }));
        if (!stream.write(lines(sent))) await soon('drain', once(stream, 'drain'));
      }
      await soon('flush', flushStream(stream));
      const arrived = await read();
      assert.equal(arrived.length, 10_000);
      assert.deepEqual(arrived[9999], asArrived([{ ...record(9999), text }])[0]);
    }),

  'as a pino target, destroying it closes it without an error': async ({ openStream, soon }) => {
    const stream = await openStream();
    const errors: unknown[] = [];
    stream.on('error', (error) => errors.push(error));
    stream.write(lines(records(0, 10)));
    const closed = once(stream, 'close');
    stream.destroy();
    await soon('close after destroy', closed);
    assert.deepEqual(errors, []);
  },
};

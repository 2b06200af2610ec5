import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { messageOf } from '../../errors.ts';
import { parseOptions } from '../../transport.ts';
import { batchOf, records, type CaseTable } from '../subject.ts';

/** Opening, flushing, closing. */
export const lifetimeCases: CaseTable = {
  'the definition has a name and batch hints that can be met': async ({ definition }) => {
    assert.match(definition.name, /^\S+$/, 'name must be a short name for messages');
    for (const [hint, value] of Object.entries(definition.batch ?? {}))
      assert.ok(
        typeof value === 'number' && value >= (hint === 'maxDelayMs' ? 0 : 1),
        `batch.${hint} must be positive`,
      );
  },

  'an unknown option is refused by name': {
    needs: 'options schema',
    check: async ({ definition, options }) => {
      const wrong = { ...(options as object), notAnOption: true };
      await assert.rejects(parseOptions(definition, wrong), /notAnOption/, 'the message must name the key');
    },
  },

  'options that are no object are refused': {
    needs: 'options schema',
    check: async ({ definition }) => {
      for (const wrong of [null, 42, 'text'])
        await assert.rejects(parseOptions(definition, wrong), TypeError);
    },
  },

  'a destination that can not be opened is refused with a message that names it': {
    needs: 'unusable',
    check: async ({ definition, under, soon }) => {
      const options = under.unusable?.();
      const parsed = await parseOptions(definition, options);
      const opening = (async () =>
        definition.open(parsed, { streamName: 'test', report: () => undefined }))();
      const message = await soon(
        'refusing',
        opening.then(() => undefined, messageOf),
      );
      assert.ok(message !== undefined, 'open must reject');
      assertNamesOne(message, options);
    },
  },

  'flush without a write resolves': ({ withSink, soon }) => withSink((sink) => soon('flush', sink.flush())),

  'flush may be repeated': ({ withSink, expectArrived, soon }) =>
    withSink(async (sink) => {
      await sink.write(batchOf(records(0, 2)));
      await soon('flush', Promise.all([sink.flush(), sink.flush()]));
      await soon('flush', sink.flush());
      await sink.write(batchOf(records(2, 4)));
      await soon('flush', sink.flush());
      await expectArrived(records(0, 4));
    }),

  'flush while a write is under way harms neither': ({ withSink, expectArrived, soon }) =>
    withSink(async (sink) => {
      await sink.write(batchOf(records(0, 10)));
      const writing = sink.write(batchOf(records(10, 1000)));
      await soon('flush', Promise.all([sink.flush(), writing]));
      await sink.flush();
      await expectArrived(records(0, 1000));
    }),

  'closing twice is no error': ({ withSink }) => withSink((sink) => sink.close()),

  'closing twice at the same time is no error': ({ withSink, soon }) =>
    withSink(async (sink) => {
      await sink.write(batchOf(records(0, 10)));
      await soon('close', Promise.all([sink.close(), sink.close()]));
    }),

  'closing without a write leaves an empty destination': async ({ withSink, expectArrived }) => {
    await withSink(async () => undefined);
    await expectArrived([]);
  },

  'what was written is there after close without flush': ({ withSink, expectArrived }) =>
    withSink(async (sink) => {
      await sink.write(batchOf(records(0, 10)));
      await sink.close();
      await expectArrived(records(0, 10));
    }),

  'a write after close rejects': ({ withSink, soon }) =>
    withSink(async (sink) => {
      await sink.close();
      await assert.rejects(
        soon('a write after close', (async () => sink.write(batchOf(records(0, 1))))()),
        (error) => !(error instanceof assert.AssertionError),
        'it must neither resolve nor wait',
      );
    }),

  'opened again, it goes on behind what is there': async ({ withSink, expectArrived }) => {
    for (const from of [0, 5, 10]) {
      await withSink(async (sink) => {
        await sink.write(batchOf(records(from, from + 5)));
      });
    }
    await expectArrived(records(0, 15));
  },

  'an ordinary life reports no fault': ({ withSink, events }) =>
    withSink(async (sink) => {
      await sink.write(batchOf(records(0, 10)));
      await sink.flush();
      await sink.close();
      assert.deepEqual(
        events.filter(({ type }) => type === 'down' || type === 'dropped' || type === 'full'),
        [],
      );
    }),

  'closing leaves nothing behind that keeps the process alive': async ({ withSink, under }) => {
    const before = process.getActiveResourcesInfo().length;
    for (let times = 0; times < 5; times++)
      await withSink(async (sink) => void (await sink.write(batchOf(records(0, 1)))));
    // What the runner itself has in flight comes and goes: only what stays counts.
    for (let waitedMs = 0; process.getActiveResourcesInfo().length > before; waitedMs += 20) {
      assert.ok(
        waitedMs < (under.timeoutMs ?? 5000),
        `left behind: ${process.getActiveResourcesInfo().join(', ')}`,
      );
      await setTimeout(20, undefined, { ref: false });
    }
  },
};

/** The message must hold one of the texts of the options: the path, the address. */
function assertNamesOne(message: string, options: unknown): void {
  const texts: string[] = [];
  JSON.stringify(options, (_key, value: unknown) => {
    if (typeof value === 'string') texts.push(value);
    return value;
  });
  assert.ok(
    texts.some((text) => message.includes(text)),
    `the message must name the destination (${texts.join(' or ')}); got "${message}"`,
  );
}

import assert from 'node:assert/strict';
import type { LogRecord } from '../record.ts';
import type { LogRequest, LogSource } from '../source.ts';
import { record } from './sample-lines.ts';

/** A kind of log source and how to fill one. */
export interface SourceUnderTest {
  /** A source that holds these records and no others. */
  open(records: readonly LogRecord[]): Promise<LogSource> | LogSource;
}

/** One property that every source must have. */
export interface SourceCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

type SourceCheck = (open: (records?: readonly LogRecord[]) => Promise<LogSource>) => Promise<void>;

/** The cases that every log source passes, for any test runner. */
export function testSource(under: SourceUnderTest): SourceCase[] {
  return Object.entries(CASES).map(([name, check]) => ({
    name,
    async run() {
      const opened: LogSource[] = [];
      try {
        await check(async (records = SAMPLE) => {
          const source = await under.open(records);
          opened.push(source);
          return source;
        });
      } finally {
        for (const source of opened) await source.close();
      }
    },
  }));
}

/** Twelve records a millisecond apart; levels 10 to 60 in turn. */
const SAMPLE: readonly LogRecord[] = Array.from({ length: 12 }, (_, index) => ({
  ...record(index, {
    source: index % 2 === 0 ? 'api' : 'worker',
    type: index % 3 === 0 ? 'request' : 'job',
    ref_id: `order-${index % 4}`,
  }),
  level: ((index % 6) + 1) * 10,
}));

const FIRST_MS = Number(SAMPLE[0]?.time);

const FILTERS: readonly (readonly [string, LogRequest, (each: LogRecord) => boolean])[] = [
  ['source', { source: 'api' }, (each) => each['source'] === 'api'],
  ['type', { type: 'request' }, (each) => each['type'] === 'request'],
  ['refId', { refId: 'order-2' }, (each) => each['ref_id'] === 'order-2'],
  ['least level', { level: 40 }, (each) => each.level >= 40],
  ['start, inclusive', { sinceMs: FIRST_MS + 5 }, (each) => Number(each.time) >= FIRST_MS + 5],
  ['end, exclusive', { untilMs: FIRST_MS + 5 }, (each) => Number(each.time) < FIRST_MS + 5],
  [
    'all conditions at once',
    { source: 'api', level: 30, sinceMs: FIRST_MS + 2, untilMs: FIRST_MS + 10 },
    (each) =>
      each['source'] === 'api' &&
      each.level >= 30 &&
      Number(each.time) >= FIRST_MS + 2 &&
      Number(each.time) < FIRST_MS + 10,
  ],
];

const CASES: Record<string, SourceCheck> = {
  'a query without conditions gives every record, newest first': async (open) => {
    await expectQuery(await open(), {}, SAMPLE.toReversed());
  },

  'records come oldest first when asked': async (open) => {
    await expectQuery(await open(), { order: 'asc' }, SAMPLE);
  },

  'a limit keeps the first of the order': async (open) => {
    const source = await open();
    await expectQuery(source, { limit: 3 }, SAMPLE.toReversed().slice(0, 3));
    await expectQuery(source, { limit: 3, order: 'asc' }, SAMPLE.slice(0, 3));
    await expectQuery(source, { limit: 100 }, SAMPLE.toReversed());
  },

  ...Object.fromEntries(
    FILTERS.map(([name, request, matches]): [string, SourceCheck] => [
      `a query keeps to its ${name}`,
      async (open) => {
        const source = await open();
        const expected = SAMPLE.filter(matches);
        await expectQuery(source, { ...request, order: 'asc' }, expected);
        assert.equal(
          (await source.stats(request)).count,
          expected.length,
          'stats must count what the query finds',
        );
      },
    ]),
  ),

  'a query that matches nothing gives nothing': async (open) => {
    await expectQuery(await open(), { source: 'no\' such"source%' }, []);
  },

  'stats count the records by level and give their first and last time': async (open) => {
    const { count, levels, firstMs, lastMs } = await (await open()).stats({});
    assert.deepEqual({ count, firstMs, lastMs }, { count: 12, firstMs: FIRST_MS, lastMs: FIRST_MS + 11 });
    assert.deepEqual({ ...levels }, { 10: 2, 20: 2, 30: 2, 40: 2, 50: 2, 60: 2 });
  },

  'an empty source gives nothing and has no first time': async (open) => {
    const source = await open([]);
    await expectQuery(source, {}, []);
    const stats = await source.stats({});
    assert.deepEqual([stats.count, stats.firstMs, stats.lastMs], [0, undefined, undefined]);
  },

  'a query may be left before its end, and two may run at a time': async (open) => {
    const source = await open();
    for await (const first of source.query({ order: 'asc' })) {
      assert.equal(first.msg, 'record 0');
      await expectQuery(source, {}, SAMPLE.toReversed());
      break;
    }
    await expectQuery(source, {}, SAMPLE.toReversed());
  },

  'thousands of records come in order': async (open) => {
    const many = Array.from({ length: 3000 }, (_, index) => record(index));
    await expectQuery(await open(many), { order: 'asc' }, many);
  },

  'closing twice is no error, and a query after it fails': async (open) => {
    const source = await open();
    await source.close();
    await source.close();
    await assert.rejects(async () => collect(source, {}));
  },
};

async function expectQuery(
  source: LogSource,
  request: LogRequest,
  expected: readonly LogRecord[],
): Promise<void> {
  const found = await collect(source, request);
  assert.deepEqual(
    found.map(({ msg }) => msg),
    expected.map(({ msg }) => msg),
  );
  assert.deepEqual(found[0], expected[0], 'a record must be as it was logged');
}

async function collect(source: LogSource, request: LogRequest): Promise<LogRecord[]> {
  const found: LogRecord[] = [];
  for await (const each of source.query(request)) found.push(each);
  return found;
}

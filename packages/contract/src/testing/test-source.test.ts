import { describe, expect, test } from 'vitest';
import { TreelineError } from '../errors.ts';
import { readTimeMs, type LogRecord } from '../record.ts';
import type { LogRequest, LogSource } from '../source.ts';
import { testSource } from './test-source.ts';

type Change = Partial<{
  matches: (record: LogRecord, request: LogRequest) => boolean;
  ordered: (records: readonly LogRecord[], request: LogRequest) => readonly LogRecord[];
  limited: (records: readonly LogRecord[], request: LogRequest) => readonly LogRecord[];
  closeTwice: () => void;
  answersClosed: boolean;
  stats: (records: readonly LogRecord[]) => readonly LogRecord[];
  busy: boolean;
}>;

const rules = {
  matches: (record: LogRecord, request: LogRequest): boolean =>
    (request.source === undefined || record['source'] === request.source) &&
    (request.type === undefined || record['type'] === request.type) &&
    (request.refId === undefined || record['ref_id'] === request.refId) &&
    record.level >= (request.level ?? 0) &&
    Number(record.time) >= (request.sinceMs ?? 0) &&
    Number(record.time) < (request.untilMs ?? Infinity),
  ordered: (records: readonly LogRecord[], request: LogRequest) =>
    request.order === 'asc' ? records : records.toReversed(),
  limited: (records: readonly LogRecord[], request: LogRequest) => records.slice(0, request.limit),
};

/** A source over an array, right unless a change makes it wrong. */
function arraySource(records: readonly LogRecord[], change: Change = {}): LogSource {
  const { matches, ordered, limited } = { ...rules, ...change };
  let open = true;
  let running = false;
  return {
    async *query(request) {
      if (!open && !change.answersClosed) throw new TreelineError('CLOSED', 'the source is closed');
      if (running && change.busy) throw new Error('another query is running');
      running = true;
      try {
        yield* limited(
          ordered(
            records.filter((record) => matches(record, request)),
            request,
          ),
          request,
        );
      } finally {
        running = false;
      }
    },
    async stats(request) {
      const found = (change.stats ?? ((all) => all))(records.filter((record) => matches(record, request)));
      const levels: Record<number, number> = {};
      for (const { level } of found) levels[level] = (levels[level] ?? 0) + 1;
      const times = found.map(({ time }) => readTimeMs(time) ?? 0);
      return found.length === 0
        ? { count: 0, levels }
        : { count: found.length, levels, firstMs: Math.min(...times), lastMs: Math.max(...times) };
    },
    async close() {
      if (!open) change.closeTwice?.();
      open = false;
    },
  };
}

describe('testSource', () => {
  describe('passes a source that is right', () => {
    for (const { name, run } of testSource({ open: (records) => arraySource(records) })) test(name, run);
  });

  const ignores = (key: keyof LogRequest): Change => ({
    matches: (record, request) => rules.matches(record, { ...request, [key]: undefined }),
  });

  test.each<readonly [string, Change, string]>([
    [
      'gives the oldest first',
      { ordered: (records) => records },
      'a query without conditions gives every record, newest first',
    ],
    [
      'knows one order only',
      { ordered: (records) => records.toReversed() },
      'records come oldest first when asked',
    ],
    ['ignores the limit', { limited: (records) => records }, 'a limit keeps the first of the order'],
    ['ignores source', ignores('source'), 'a query keeps to its source'],
    ['ignores type', ignores('type'), 'a query keeps to its type'],
    ['ignores refId', ignores('refId'), 'a query keeps to its refId'],
    ['ignores level', ignores('level'), 'a query keeps to its least level'],
    ['ignores the start', ignores('sinceMs'), 'a query keeps to its start, inclusive'],
    ['ignores the end', ignores('untilMs'), 'a query keeps to its end, exclusive'],
    [
      'includes the end',
      {
        matches: (record, request) =>
          rules.matches(record, { ...request, untilMs: (request.untilMs ?? Infinity) + 1 }),
      },
      'a query keeps to its end, exclusive',
    ],
    [
      'joins conditions by or',
      {
        matches: (record, request) =>
          Object.entries(request).some(([key, value]) => rules.matches(record, { [key]: value })),
      },
      'a query keeps to its all conditions at once',
    ],
    [
      'always finds something',
      {
        limited: (records, request) =>
          records.length === 0 ? [{ level: 30 }] : rules.limited(records, request),
      },
      'a query that matches nothing gives nothing',
    ],
    [
      'counts one too few',
      { stats: (records) => records.slice(1) },
      'stats count the records by level and give their first and last time',
    ],
    [
      'invents a record when it is empty',
      { stats: (records) => (records.length === 0 ? [{ level: 30, time: 0 }] : records) },
      'an empty source gives nothing and has no first time',
    ],
    [
      'runs one query at a time',
      { busy: true },
      'a query may be left before its end, and two may run at a time',
    ],
    [
      'gives a thousand at most',
      { limited: (records, request) => rules.limited(records, request).slice(0, 1000) },
      'thousands of records come in order',
    ],
    [
      'fails at the second close',
      {
        closeTwice: () => {
          throw new Error('closed already');
        },
      },
      'closing twice is no error, and a query after it fails',
    ],
    [
      'answers when it is closed',
      { answersClosed: true },
      'closing twice is no error, and a query after it fails',
    ],
  ])('catches a source that %s', async (_name, change, caughtBy) => {
    const found = testSource({ open: (records) => arraySource(records, change) }).find(
      ({ name }) => name === caughtBy,
    );
    await expect(found?.run()).rejects.toThrow();
  });
});

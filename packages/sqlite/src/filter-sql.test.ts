import type { LogRecord } from '@treeline/contract';
import { createBatch } from '@treeline/contract';
import { compileFilter, type Field, type Filter, type Value } from '@treeline/query';
import fc from 'fast-check';
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { SqliteOptions } from './options.ts';
import { openSqliteSink } from './sink.ts';
import { openLogStore, type LogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-filter-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

let files = 0;
const NOW_MS = 1_760_000_000_000;
const TIMES = { nowMs: NOW_MS, utc: true };

/** Writes lines as a transport would, and opens the store. */
async function storeOf(lines: readonly string[], options: Partial<SqliteOptions> = {}): Promise<LogStore> {
  const path = join(folder, `${files++}.db`);
  const sink = await openSqliteSink(
    { path, synchronous: 'normal', indexes: [], fullText: false, ...options },
    { streamName: 's', report: () => undefined },
  );
  if (lines.length > 0) await sink.write(createBatch(Buffer.from(lines.map((line) => `${line}\n`).join(''))));
  await sink.close();
  return openLogStore(path);
}

const KEYS = [
  'a',
  'b',
  'level',
  'msg',
  'source',
  'a.b',
  'quo"te',
  'back\\slash',
  'ü',
  ' ',
  '0',
  '__proto__',
  '',
  '\ud800',
  '\ufffd',
];
const TEXTS = [
  '',
  'a',
  'A',
  'ab',
  'Timeout',
  'timeout 100%',
  '100%_x',
  'a\\b',
  'a*b[c]?',
  'ÄÖ',
  'äö',
  'a\u0000b',
  '\u0000',
  '😀',
  '\uffff',
  'true',
  'null',
  '500',
  'Infinity',
  '[1]',
  '{"a":1}',
  '"',
  '\n',
  'ſ',
  'K',
  '\ud800',
  'a\udc00',
  '\ufffd',
  '\ue000',
];
const NUMBERS = [
  0,
  -0,
  1,
  -1,
  500,
  0.1,
  0.30000000000000004,
  1e21,
  1.7976931348623157e308,
  5e-324,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 63),
  2 ** 64,
  12.5,
];

const anyText = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 6 }) },
);
const number = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NUMBERS) },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
);
const leaf = fc.oneof(anyText, number, fc.boolean(), fc.constant(null));
const json = fc.oneof(
  { weight: 3, arbitrary: leaf },
  {
    weight: 1,
    arbitrary: fc.array(fc.oneof(leaf, fc.record({ a: leaf }, { requiredKeys: [] })), { maxLength: 3 }),
  },
  {
    weight: 1,
    arbitrary: fc.dictionary(fc.constantFrom(...KEYS), fc.oneof(leaf, fc.array(leaf, { maxLength: 2 })), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  },
);
const time = fc.integer({ min: NOW_MS - 10_000, max: NOW_MS + 10_000 });

/** A line, with what JSON allows and JSON.stringify does not write now and then. */
const line = fc
  .tuple(
    fc.record(
      {
        level: fc.constantFrom(10, 30, 35, 35.5, 50, 60, -0.5, 49.9, 1e300),
        time: fc.oneof({ weight: 4, arbitrary: time }, fc.constantFrom(NOW_MS + 0.5, -0.5, 0, 8.64e15)),
        '\ud800': json,
        '\ufffd': json,
        name: anyText,
        source: json,
        type: json,
        ref_id: json,
        refId: json,
        trace_id: json,
        a: json,
        b: json,
        'a.b': json,
        'quo"te': json,
        'back\\slash': json,
        ü: json,
        msg: json,
      },
      { requiredKeys: ['level', 'time'] },
    ),
    fc.constantFrom(
      '',
      ',"n":1e400',
      ',"n":9007199254740993',
      ',"n":-0',
      ',"n":1.0',
      ',"n":0.1000000000000000055511151231257827',
    ),
  )
  .map(([fields, extra]) => JSON.stringify(fields).replace(/\}$/, `${extra}}`));

const field: fc.Arbitrary<Field> = fc.oneof(
  fc.constantFrom(
    ...(['level', 'time', 'msg', 'source', 'type', 'ref', 'trace', 'span'] as const).map((name): Field => ({
      kind: 'column',
      name,
    })),
  ),
  {
    weight: 2,
    arbitrary: fc
      .array(
        fc.oneof(
          { weight: 5, arbitrary: fc.constantFrom(...KEYS, 'n') },
          fc.constantFrom(0, 1),
          fc.constant({ each: true as const }),
        ),
        { minLength: 1, maxLength: 3 },
      )
      .map((segments): Field => ({
        kind: 'path',
        segments: typeof segments[0] === 'string' ? segments : ['a', ...segments],
      })),
  },
);
const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 3, arbitrary: anyText.map((each): Value => ({ kind: 'string', value: each })) },
  { weight: 3, arbitrary: number.map((each): Value => ({ kind: 'number', value: each })) },
  fc.boolean().map((each): Value => ({ kind: 'boolean', value: each })),
  time.map((ms): Value => ({ kind: 'time', text: new Date(ms).toISOString() })),
);
const orAbsent = fc.boolean();
const negated = fc.boolean();

const condition: fc.Arbitrary<Filter> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('compare' as const),
      field,
      op: fc.constantFrom('=', '!=', '<', '<=', '>', '>='),
      value,
      orAbsent,
    }),
  },
  fc.record({ kind: fc.constant('range' as const), field, low: value, high: value, orAbsent }),
  fc.record({
    kind: fc.constant('in' as const),
    field,
    values: fc.array(value, { minLength: 2, maxLength: 30 }),
    orAbsent,
  }),
  fc.record({
    kind: fc.constant('glob' as const),
    field,
    parts: fc.array(anyText, { minLength: 2, maxLength: 4 }),
    orAbsent,
  }),
  fc.record({ kind: fc.constant('contains' as const), field, text: anyText, negated, orAbsent }),
  fc.record({
    kind: fc.constant('regex' as const),
    field,
    pattern: fc.constantFrom('^a', 'out', '[0-9]+', '.', '^$', 'ä'),
    flags: fc.constantFrom('', 'i', 's'),
    negated,
    orAbsent,
  }),
  fc.record({ kind: fc.constant('exists' as const), field }),
  fc.record({ kind: fc.constant('text' as const), scope: fc.constantFrom('msg', 'any'), text: anyText }),
  fc.record({
    kind: fc.constantFrom('since' as const, 'until' as const),
    time: time.map((ms) => ({ kind: 'time' as const, text: new Date(ms).toISOString() })),
  }),
);
const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 3, arbitrary: condition },
    fc.record({ kind: fc.constant('not' as const), item: tie('filter') }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      items: fc.array(tie('filter'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}));

function compareColumn(name: 'level', op: '=' | '>', target: number): Filter {
  const column = { kind: 'column', name } as const;
  return { kind: 'compare', field: column, op, value: { kind: 'number', value: target }, orAbsent: false };
}

describe('a filter', () => {
  test(
    'finds in a store what its predicate finds in the records, whatever both are',
    { timeout: 60_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(line, { minLength: 1, maxLength: 15 }),
          fc.array(filter, { minLength: 1, maxLength: 25 }),
          async (lines, filters) => {
            const store = await storeOf(lines, { indexes: ['trace_id', 'a', 'a.b'] });
            try {
              const records = lines.map((each) => JSON.parse(each) as LogRecord);
              for (const each of filters) {
                const holds = compileFilter(each, TIMES);
                const expected = records.flatMap((record, index) => (holds(record) ? [index + 1] : []));
                const found = [...store.iterate({ filter: each, utc: true })].map((row) => row.id);
                expect({ filter: each, found: found.toSorted((a, b) => a - b) }).toEqual({
                  filter: each,
                  found: expected,
                });
                expect(store.count({ filter: each, utc: true })).toBe(expected.length);
              }
            } finally {
              store.close();
            }
          },
        ),
        { numRuns: 40 },
      );
    },
  );

  test.each([
    ['level>=error', [2]],
    ['source=api req.status>=500', [2]],
    ['req.status=200 or timeout', [1, 2]],
    ['-exists(req)', [3]],
    ['time>=2025-10-09T08:53:21Z', [2, 3]],
    ['since:2025-10-09T08:53:21Z until:2025-10-09T08:53:22Z', [2]],
    ['trace=ab', [1]],
    ['id>=2', [2, 3]],
    ['tags.[]=x', [1]],
    ['msg=~/^T.*out$/', [2]],
    ['type:http.*', [1, 2]],
    ['ref=r1 source=api', [1]],
  ])('%s', async (text, ids) => {
    const store = await storeOf([
      '{"level":30,"time":1760000000000,"name":"api","type":"http.request","ref_id":"r1","trace_id":"ab","tags":["x"],"req":{"status":200},"msg":"fine"}',
      '{"level":50,"time":1760000001000,"name":"api","type":"http.response","req":{"status":500},"msg":"Timeout"}',
      '{"level":30,"time":1760000002000,"name":"db","msg":"fine"}',
    ]);
    expect(Array.from(store.iterate({ filter: text, order: 'asc' }), (row) => row.id)).toEqual(ids);
    store.close();
  });

  test('tells texts apart that SQLite reads as one', async () => {
    const store = await storeOf(
      ['\ud800', '\ufffd', '\uffff', '\ue000'].map((msg) =>
        JSON.stringify({ level: 30, time: NOW_MS, name: msg, msg }),
      ),
    );
    const text = (each: string): Value => ({ kind: 'string', value: each });
    const column = (name: 'msg' | 'source'): Field => ({ kind: 'column', name });
    const ids = (asked: Filter): number[] =>
      Array.from(store.iterate({ filter: asked, order: 'asc' }), (row) => row.id);
    expect(ids({ kind: 'text', scope: 'msg', text: '\ufffd' })).toEqual([2]);
    for (const name of ['msg', 'source'] as const) {
      const compare = { kind: 'compare', field: column(name), orAbsent: false } as const;
      expect(ids({ ...compare, op: '=', value: text('\ud800') })).toEqual([1]);
      expect(ids({ ...compare, op: '<', value: text('\ue000') })).toEqual([1]);
    }
    store.close();
  });

  test.each<[Filter, readonly number[]]>([
    [compareColumn('level', '=', 35), [1]],
    [compareColumn('level', '>', 35), [2]],
    [compareColumn('level', '>', 2 ** 60), []],
    [{ kind: 'exists', field: { kind: 'path', segments: ['\ud800'] } }, [1]],
    [{ kind: 'exists', field: { kind: 'path', segments: ['\ufffd'] } }, [2]],
  ])('%j compares what a row holds, by its predicate too', async (asked, ids) => {
    const records = [
      { level: 35.5, time: NOW_MS, '\ud800': 1 },
      { level: 1e300, time: NOW_MS, '\ufffd': 1 },
    ];
    const store = await storeOf(records.map((record) => JSON.stringify(record)));
    expect(Array.from(store.iterate({ filter: asked, order: 'asc' }), (row) => row.id)).toEqual(ids);
    const holds = compileFilter(asked, TIMES);
    expect(records.flatMap((record, index) => (holds(record) ? [index + 1] : []))).toEqual(ids);
    store.close();
  });

  test('with many values stays within the limits of SQLite', async () => {
    const store = await storeOf(['{"level":30,"time":1760000000000,"ref_id":"r7","n":7}']);
    const many = Array.from({ length: 6000 }, (_, index) => `r${index}`);
    expect(store.count({ filter: `ref:${many.join(',')}` })).toBe(1);
    expect(
      store.count({
        filter: many
          .slice(0, 3000)
          .map((each) => `n=${each.slice(1)}`)
          .join(' or '),
      }),
    ).toBe(1);
    store.close();
  });

  test('that nothing can satisfy is still a statement that SQLite can plan', async () => {
    const store = await storeOf(['{"level":60,"time":1760000000000,"name":"api"}']);
    const level: Field = { kind: 'column', name: 'level' };
    const low: Value = { kind: 'number', value: 60 };
    const never: Filter = {
      kind: 'range',
      field: level,
      low,
      high: { kind: 'string', value: '' },
      orAbsent: false,
    };
    expect(store.count({ filter: never })).toBe(0);
    expect(store.queryLogs({ filter: never, source: 'api', type: 'log' })).toHaveLength(0);
    store.close();
  });

  test('that contradicts an argument finds nothing', async () => {
    const store = await storeOf(['{"level":30,"time":1760000000000,"name":"api"}']);
    expect(store.count({ source: 'api', filter: 'source=db' })).toBe(0);
    expect(store.count({ source: 'api', filter: 'source=api' })).toBe(1);
    store.close();
  });

  test.each([
    ['level>=', /query: .* at column/],
    ['a=1 | count', /filter must be a condition; remove the "\|"/],
    ['ref in @ids.txt', /in @file/],
  ])('%s is refused', async (text, message) => {
    const store = await storeOf([]);
    expect(() => store.queryLogs({ filter: text })).toThrow(message);
    store.close();
  });
});

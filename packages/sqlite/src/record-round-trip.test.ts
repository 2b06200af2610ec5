import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createBatch } from '@treeline/contract';
import fc from 'fast-check';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, expect, test } from 'vitest';
import { openSqliteSink } from './sink.ts';
import { openLogReader, openLogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-round-trip-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const COLUMN_KEYS = [
  'id',
  'source',
  'type',
  'ref_id',
  'refId',
  'ts',
  'time',
  'level',
  'msg',
  'trace_id',
  'payload',
  'name',
  '__proto__',
  '',
];

/** Keys that the record of an appended entry has itself, and so a payload can't have beside it. */
const RECORD_KEYS = new Set(
  'level time source type ref_id refId msg trace_id span_id parent_span_id'.split(' '),
);

const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.maxSafeInteger(),
  fc.constantFrom(2 ** 53 + 2, 2 ** 63, 2 ** 64, -(2 ** 63), 1e21, 1e308, 5e-324, 0.1),
);
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '\u0000',
    'a\u0000b',
    '\ud800',
    '\udc00x',
    '\ud83d\ude00',
    '\u2028',
    '"',
    '\\',
    '\ufeff',
    '',
  ),
);
const key = fc.oneof(fc.constantFrom(...COLUMN_KEYS), text);
const { value } = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  object: fc.dictionary(key, tie('value'), { maxKeys: 6, noNullPrototype: true }),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    number,
    text,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object'),
  ),
}));
const record = fc.dictionary(key, value, { maxKeys: 8, noNullPrototype: true });

/** Digits that a double does not hold, and other ways to write a number. */
const rawNumber = fc.constantFrom(
  '12345678901234567890123',
  '-0',
  '1e400',
  '-1E+999',
  '1.0',
  '0.1e-5',
  '9007199254740993',
);

const line = fc.oneof(
  record.map((object) => JSON.stringify(object)),
  record.map((object) => JSON.stringify({ level: 30, time: 1_760_000_000_000, pid: 1, ...object })),
  rawNumber.map((digits) => `{"level":30,"n":${digits},"list":[ ${digits} , {"x":${digits}}]}`),
  fc
    .integer({ min: 1, max: 498 })
    .map((depth) => `{"deep":${'[{"a":'.repeat(depth >> 1)}1${'}]'.repeat(depth >> 1)}}`),
);

test('a record comes back as the line that was written, for any JSON, and SQLite can read it', async () => {
  const path = join(folder, 'any.db');
  const sink = await openSqliteSink(
    { path, synchronous: 'normal', indexes: [], fullText: false },
    { streamName: 's', report: () => undefined },
  );
  const reader = openLogReader(path);
  const db = new BetterSqlite3(path, { readonly: true });
  let lastId = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 20 }), async (lines) => {
      const result = await sink.write(createBatch(Buffer.from(lines.map((each) => `${each}\n`).join(''))));
      expect(result).toBeUndefined();
      const rows = db
        .prepare<[number], [number, string, number]>(
          'SELECT id, payload, json_valid(payload) FROM logs WHERE id > ? ORDER BY id',
        )
        .raw()
        .all(lastId);
      expect(rows.map(([, payload]) => payload)).toEqual(lines);
      expect(rows.map(([, , valid]) => valid)).toEqual(lines.map(() => 1));
      const last = rows.at(-1)?.[0] ?? 0;
      const byId = new Map(
        [...reader.iterate()].filter((row) => row.id > lastId).map((row) => [row.id, row.record]),
      );
      expect([...byId].toSorted(([a], [b]) => a - b).map(([, stored]) => stored)).toEqual(
        lines.map((each) => JSON.parse(each) as unknown),
      );
      lastId = last;
    }),
    { numRuns: 60 },
  );
  db.close();
  reader.close();
  await sink.close();
});

test('an appended entry gives its payload back, for any JSON', () => {
  const store = openLogStore(join(folder, 'entries.db'));
  fc.assert(
    fc.property(record, (payload) => {
      const plain = JSON.parse(JSON.stringify(payload)) as Record<string, unknown>;
      const [id] = store.append({ source: 'a', payload: plain });
      const row = store.queryLogs({ limit: 20 }).find((each) => each.id === id);
      const collides = Object.keys(plain).some((each) => RECORD_KEYS.has(each));
      expect(row?.payload).toEqual(collides ? { payload: plain } : plain);
    }),
    { numRuns: 200 },
  );
  store.close();
});

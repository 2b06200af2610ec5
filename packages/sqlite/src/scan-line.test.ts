import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deriveColumns } from './columns.ts';
import { payloadOf } from './payload.ts';
import { scanLine } from './scan-line.ts';

const ARRIVAL_MS = 1_760_000_000_000;

/** Columns by parsing; undefined where the line is not stored as it is. */
function parsed(line: Buffer): unknown {
  const { record, json, mended } = payloadOf(line);
  return mended || !Buffer.isBuffer(json) ? undefined : deriveColumns(record, ARRIVAL_MS);
}

const KEYS =
  'level time msg source name service app type ref_id refId trace_id span_id parent_span_id a b'.split(' ');
const leaf = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 5 }),
  fc.constantFrom('', 'api', 'a"b', 'a\\b', 'ü😀', '\u0000', '\ud800'),
  fc.integer({ min: -5, max: 100 }),
  fc.constantFrom(1_760_000_000_123, 1_760_000_000, 1.5, 1e21, 1e-7, 2 ** 53 + 2),
  fc.boolean(),
  fc.constant(null),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    { weight: 4, arbitrary: leaf },
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...KEYS, 'ü', ''), tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));
const line = fc
  .dictionary(fc.oneof(fc.constantFrom(...KEYS), fc.string({ maxLength: 3 })), value, {
    maxKeys: 12,
    noNullPrototype: true,
  })
  .map((record) => Buffer.from(JSON.stringify(record)));

describe('scanLine', () => {
  test('reads from any line of compact JSON what parsing reads', () => {
    fc.assert(
      fc.property(line, (bytes) => {
        const columns = scanLine(bytes, ARRIVAL_MS);
        if (columns) expect(columns).toEqual(parsed(bytes));
      }),
      { numRuns: 3000 },
    );
  });

  test('never takes for JSON what is none, nor a doubled key for a single one', () => {
    const change = fc.record({
      at: fc.nat(),
      remove: fc.nat({ max: 3 }),
      insert: fc.constantFrom(
        '',
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        ' ',
        '0',
        '-',
        '.',
        'e',
        'x',
        '\u0001',
        '"a":1,',
        '"level":5,',
        ',"a":{}',
        '\\u00',
        '\\x',
        'true',
        '\ufeff',
      ),
    });
    fc.assert(
      fc.property(line, fc.array(change, { minLength: 1, maxLength: 3 }), (bytes, changes) => {
        let changed = bytes;
        for (const { at, remove, insert } of changes) {
          const place = at % (changed.length + 1);
          changed = Buffer.concat([
            changed.subarray(0, place),
            Buffer.from(insert),
            changed.subarray(place + remove),
          ]);
        }
        const columns = scanLine(changed, ARRIVAL_MS);
        if (columns) expect(columns).toEqual(parsed(changed));
      }),
      { numRuns: 5000 },
    );
  });

  // Without this the tests above would pass for one that never reads anything.
  test.each([
    '{"level":30,"time":1760000000123,"pid":1,"hostname":"h","name":"api","req":{"id":"x","list":[1,-2.5e+3,{}],"e":[]},"ok":true,"none":null,"msg":"done \\"quoted\\" ü"}',
    '{"level":50,"time":1760000000,"source":"s","type":"t","ref_id":"r","trace_id":"a","span_id":"b","parent_span_id":"c"}',
    '{"msg":"","name":"","service":"svc","refId":"r"}',
    '{}',
  ])('reads %s by itself', (text) => {
    const columns = scanLine(Buffer.from(text), ARRIVAL_MS);
    expect(columns).toBeDefined();
    expect(columns).toEqual(parsed(Buffer.from(text)));
  });

  test.each([
    '{"a":1,"a":2}',
    '{"x":{"a":1,"a":2}}',
    '{"a" :1}',
    '{"\\u0061":1}',
    '{"a":1}x',
    '{"a":1,}',
    '{"a":[1,]}',
    '{"a":01}',
    '{"a":"\\q"}',
    '{"a":tru}',
    '{"time":"2026-01-01"}',
    '{"ref_id":5}',
    '[1]',
    '',
    '{',
    '{"a":',
    `${'{"a":'.repeat(80)}1${'}'.repeat(80)}`,
  ])('leaves %s to the parser', (text) => {
    expect(scanLine(Buffer.from(text), ARRIVAL_MS)).toBeUndefined();
  });

  test('leaves bytes that are no UTF-8 to the parser', () => {
    expect(
      scanLine(Buffer.from([...Buffer.from('{"a":"'), 0xff, ...Buffer.from('"}')]), ARRIVAL_MS),
    ).toBeUndefined();
  });
});

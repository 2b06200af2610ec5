import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  joinFilters,
  type Aggregate,
  type ColumnName,
  type Field,
  type Filter,
  type Stage,
  type Value,
} from './ast.ts';
import { parseQuery } from './parse.ts';
import { formatQuery } from './print.ts';
import { QueryError } from './query-error.ts';

const text = fc.oneof(
  fc.string({ minLength: 1, unit: 'grapheme' }),
  fc.string({ minLength: 1, unit: 'binary' }),
  fc.constantFrom(
    'and',
    'or',
    'not',
    'in',
    'exists',
    'true',
    'null',
    '5',
    'a..b',
    '*',
    '/x/',
    '@f',
    '-a',
    'a"b',
    '\\',
  ),
);

const segment = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.oneof(fc.constantFrom('req', 'status', 'level', 'any', 'since', 'or', 'http.method'), text),
  },
  { weight: 1, arbitrary: fc.nat({ max: 999_999_999 }) },
  { weight: 1, arbitrary: fc.constant({ each: true } as const) },
);

const path: fc.Arbitrary<Field> = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .map((segments) => ({ kind: 'path', segments }) as const);

const textColumn: fc.Arbitrary<Field> = fc
  .constantFrom<ColumnName>('msg', 'source', 'type', 'ref', 'trace', 'span')
  .map((name) => ({ kind: 'column', name }) as const);

const time = fc
  .constantFrom(
    '2026',
    '2026-03',
    '2026-03-04T22:15:10.5+02:00',
    'today',
    '90m',
    '-1.5h',
    'now',
    '1760000000000',
  )
  .map((value) => ({ kind: 'time', text: value }) as const);

const stringValue = fc.oneof(text, fc.constant('')).map((value): Value => ({ kind: 'string', value }));
const numberValue = fc
  .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer())
  .map((value): Value => ({ kind: 'number', value }));
const booleanValue = fc.boolean().map((value): Value => ({ kind: 'boolean', value }));
const whole = fc.nat({ max: 999_999_999 }).map((value): Value => ({ kind: 'number', value }));

/** A field with the values that it can be compared with. */
const typed: fc.Arbitrary<{ field: Field; ordered: fc.Arbitrary<Value>; any: fc.Arbitrary<Value> }> =
  fc.oneof(
    path.map((field) => ({
      field,
      ordered: fc.oneof(numberValue, stringValue),
      any: fc.oneof(numberValue, stringValue, booleanValue),
    })),
    textColumn.map((field) => ({ field, ordered: stringValue, any: stringValue })),
    fc
      .constantFrom<ColumnName>('level', 'id')
      .map((name) => ({ field: { kind: 'column', name } as const, ordered: whole, any: whole })),
    fc.constant({ field: { kind: 'column', name: 'time' } as const, ordered: time, any: time }),
  );

const textField = fc.oneof(path, textColumn);
const pattern = fc.constantFrom('a', '^eu-', 'a|b c', 'a/b', '\\d+/x', '[^/]+', '\\\\', '(?i)x');
const flags = fc.constantFrom('', 'i', 'im', 'ims', 's');
/** Parts of a glob hold no character that ends a bare word, and are not a range's dots. */
const globPart = fc.constantFrom('', 'http.', 'a', 'db-x', '/v1/', 'é');
const orAbsent = fc.boolean();

const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({ kind: fc.constant('text'), scope: fc.constantFrom('msg', 'any'), text }),
  fc.record({ kind: fc.constant('exists'), field: fc.oneof(path, textColumn) }),
  fc.record({ kind: fc.constantFrom('since', 'until'), time }),
  typed.chain(({ field, ordered, any }) =>
    fc.oneof(
      fc.record({
        kind: fc.constant('compare'),
        field: fc.constant(field),
        orAbsent,
        op: fc.constantFrom('=', '!='),
        value: any,
      }),
      fc.record({
        kind: fc.constant('compare'),
        field: fc.constant(field),
        orAbsent,
        op: fc.constantFrom('<', '<=', '>', '>='),
        value: ordered,
      }),
      ordered.chain((low) =>
        fc.record({
          kind: fc.constant('range'),
          field: fc.constant(field),
          orAbsent,
          low: fc.constant(low),
          high: ordered.filter((high) => high.kind === low.kind),
        }),
      ),
      fc.record({
        kind: fc.constant('in'),
        field: fc.constant(field),
        orAbsent,
        values: fc.array(any, { minLength: 2, maxLength: 4 }),
      }),
      fc.record({ kind: fc.constant('in-file'), field: fc.constant(field), orAbsent, file: text }),
    ),
  ) as fc.Arbitrary<Filter>,
  fc.record({
    kind: fc.constant('glob'),
    field: textField,
    orAbsent,
    parts: fc
      .array(globPart, { minLength: 2, maxLength: 4 })
      .filter((parts) => parts.some((part) => part !== '') && !parts[0]?.startsWith('/')),
  }),
  fc.record({ kind: fc.constant('contains'), field: textField, orAbsent, text, negated: fc.boolean() }),
  fc.record({
    kind: fc.constant('regex'),
    field: textField,
    orAbsent,
    pattern,
    flags,
    negated: fc.boolean(),
  }),
) as fc.Arbitrary<Filter>;

const filter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    tie('filter').map((item): Filter => ({ kind: 'not', item })),
    fc
      .tuple(
        fc.constantFrom('and', 'or'),
        tie('filter'),
        fc.array(tie('filter'), { minLength: 1, maxLength: 3 }),
      )
      .map(([kind, first, rest]) => joinFilters(kind, [first, ...rest])),
  ),
})).filter;

const by = fc.array(fc.oneof(path, textColumn), { maxLength: 3 });
const field = fc.oneof(path, textColumn);
const aggregate: fc.Arbitrary<Aggregate> = fc
  .tuple(
    fc.constantFrom<Aggregate>(
      { fn: 'sum' },
      { fn: 'avg' },
      { fn: 'min' },
      { fn: 'max' },
      { fn: 'count' },
      { fn: 'percentile', percent: 99.9 },
    ),
    field,
    fc.option(text),
  )
  .map(([fn, of, as]) => ({ ...fn, field: of, ...(as === null ? {} : { as }) }));

const stage = fc.oneof(
  fc.record({ kind: fc.constant('count'), by }),
  fc.record({ kind: fc.constant('top'), limit: fc.integer({ min: 1, max: 999_999_999 }), field }),
  fc.record({ kind: fc.constant('hist'), stepMs: fc.integer({ min: 1, max: 10 ** 9 }), by }),
  fc.record({
    kind: fc.constant('stats'),
    aggregates: fc.array(aggregate, { minLength: 1, maxLength: 3 }),
    by,
  }),
  fc.record({ kind: fc.constant('fields'), fields: fc.array(field, { minLength: 1, maxLength: 3 }) }),
  fc.record({ kind: fc.constant('sort'), field, descending: fc.boolean() }),
  fc.record({ kind: fc.constant('limit'), limit: fc.nat({ max: 999_999_999 }) }),
  fc.record({ kind: fc.constant('context'), before: fc.nat({ max: 999 }), after: fc.nat({ max: 999 }) }),
) as fc.Arbitrary<Stage>;

describe('formatQuery', () => {
  test('prints what parses to the same tree', () => {
    fc.assert(
      fc.property(fc.option(filter), fc.array(stage, { maxLength: 3 }), (condition, stages) => {
        const query = { ...(condition ? { filter: condition } : {}), stages };
        expect(parseQuery(formatQuery(query))).toEqual(query);
      }),
      { numRuns: 2000 },
    );
  });

  test('prints any text that parses so that it parses to the same tree', () => {
    const words = fc.constantFrom(
      'a',
      'level',
      '>=',
      '=',
      ':',
      'warn',
      '(',
      ')',
      'or',
      'and',
      'not ',
      '-',
      '"x y"',
      '~',
      '/',
      '*',
      '..',
      '5',
      ',',
      '|',
      'count',
      'by',
      ' ',
      '?',
      '.',
      '[]',
      'in',
      '@',
      'exists(',
      '!',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 12 }), (parts) => {
        const query = tryParse(parts.join(''));
        expect(query && parseQuery(formatQuery(query))).toEqual(query);
      }),
      { numRuns: 5000 },
    );
  });
});

/** A mistake is always one of ours, with a place. */
function tryParse(textToParse: string): ReturnType<typeof parseQuery> | undefined {
  try {
    return parseQuery(textToParse);
  } catch (error) {
    if (error instanceof QueryError && error.start <= textToParse.length) return undefined;
    throw error;
  }
}

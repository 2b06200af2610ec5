import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { merge } from './merge.ts';
import { nodeFrom, toValue } from './node.ts';
import { ProblemList } from './problem-list.ts';

const leaf = fc.oneof(fc.integer(), fc.boolean(), fc.string(), fc.array(fc.integer(), { maxLength: 3 }));

/** Layers as configs are: a key holds an object in all of them or in none; null, which deletes, is left out. */
const layer = fc.record(
  {
    level: leaf,
    window: leaf,
    fields: fc.dictionary(fc.constantFrom('a', 'b', 'c'), leaf, { noNullPrototype: true }),
    shutdown: fc.record(
      { timeout: leaf, more: fc.record({ x: leaf, y: leaf }, { requiredKeys: [] }) },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

const origin = { kind: 'object' } as const;

function merged(...layers: unknown[]): unknown {
  const problems = new ProblemList();
  const node = layers
    .map((plain) => nodeFrom(plain, origin))
    .reduce((below, above) => merge(below, above, problems));
  return toValue(node);
}

describe('merge', () => {
  test('changes nothing with an empty layer, on either side', () => {
    fc.assert(
      fc.property(layer, (a) => {
        expect([merged(a, {}), merged({}, a)]).toEqual([a, a]);
      }),
    );
  });

  test('changes nothing when the same layer comes again', () => {
    fc.assert(
      fc.property(layer, layer, (a, b) => {
        expect(merged(a, b, b)).toEqual(merged(a, b));
      }),
    );
  });

  test('gives the same however layers are gathered', () => {
    fc.assert(
      fc.property(layer, layer, layer, (a, b, c) => {
        expect(merged(a, merged(b, c))).toEqual(merged(merged(a, b), c));
      }),
    );
  });

  test('lets each value of the upper layer win, lists as a whole', () => {
    const base = { a: { b: 1, c: 1 }, l: [1, 2] };
    expect(merged(base, { a: { b: 2 }, l: [3] })).toEqual({ a: { b: 2, c: 1 }, l: [3] });
  });

  test('takes null as an order to delete', () => {
    expect(merged({ a: 1, b: { c: 1, d: 2 } }, { a: null, b: { c: null } })).toEqual({ b: { d: 2 } });
  });
});

describe('streams of an overlay', () => {
  const name = fc.constantFrom('one', 'two', 'three', 'four');
  const streams = fc.uniqueArray(fc.record({ name, type: fc.constant('console'), level: fc.string() }), {
    selector: (stream) => stream.name,
    minLength: 1,
  });

  test('change the streams they name, and leave all others in their places', () => {
    fc.assert(
      fc.property(streams, name, fc.string(), (list, target, level) => {
        const present = list.some((stream) => stream.name === target);
        const over = { streams: { [target]: present ? { level } : { type: 'file', level } } };
        const changed = list.map((stream) => (stream.name === target ? { ...stream, level } : stream));
        const expected = present ? changed : [...changed, { name: target, type: 'file', level }];
        expect(merged({ streams: list }, over)).toEqual({ streams: expected });
      }),
    );
  });

  test('remove a stream with null', () => {
    fc.assert(
      fc.property(streams, name, (list, target) => {
        fc.pre(list.some((stream) => stream.name === target));
        const expected = list.filter((stream) => stream.name !== target);
        expect(merged({ streams: list }, { streams: { [target]: null } })).toEqual({ streams: expected });
      }),
    );
  });
});

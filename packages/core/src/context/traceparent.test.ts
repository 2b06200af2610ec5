import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('parseTraceparent', () => {
  test.each([
    ['a plain one', `00-${TRACE}-${SPAN}-01`, '01'],
    ['one that is not sampled', `00-${TRACE}-${SPAN}-00`, '00'],
    ['the flag of a random id', `00-${TRACE}-${SPAN}-03`, '03'],
    ['unknown flags, which are not passed on', `00-${TRACE}-${SPAN}-ff`, '03'],
    ['a later version', `cc-${TRACE}-${SPAN}-01`, '01'],
    ['a later version with more behind it', `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, '01'],
    ['a later version, of whose flags only the first is known', `01-${TRACE}-${SPAN}-03`, '01'],
    ['one with white space around it', ` 00-${TRACE}-${SPAN}-01\t`, '01'],
  ])('reads %s', (_, header, traceFlags) => {
    expect(parseTraceparent(header)).toEqual({ traceId: TRACE, spanId: SPAN, traceFlags });
  });

  test.each([
    ['version ff', `ff-${TRACE}-${SPAN}-01`],
    ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['a short trace id', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['a long span id', `00-${TRACE}-${SPAN}0-01`],
    ['version 00 with more behind it', `00-${TRACE}-${SPAN}-01-more`],
    ['version 00 with a dash behind it', `00-${TRACE}-${SPAN}-01-`],
    ['a later version with more, not set off', `cc-${TRACE}-${SPAN}-01.what`],
    ['one digit of flags', `00-${TRACE}-${SPAN}-1`],
    ['several headers in one', `00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`],
    ['several headers', [`00-${TRACE}-${SPAN}-01`]],
    ['nothing', undefined],
    ['an empty text', ''],
  ])('refuses %s', (_, header) => {
    expect(parseTraceparent(header, 'a=1')).toBeUndefined();
  });

  test('gives back what it has formatted', () => {
    const hex = (length: number) =>
      fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)).filter((id) => /[^0]/.test(id));
    fc.assert(
      fc.property(
        hex(32),
        hex(16),
        fc.constantFrom('00', '01', '02', '03'),
        (traceId, spanId, traceFlags) => {
          const parent = { traceId, spanId, traceFlags };
          expect(parseTraceparent(formatTraceparent(parent))).toEqual(parent);
        },
      ),
    );
  });

  test('never throws, whatever comes', () => {
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-01`, [{ toString: 0 }])?.traceState).toBeUndefined();
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (traceparent, tracestate) => {
        parseTraceparent(traceparent, tracestate);
        parseTraceparent(`00-${TRACE}-${SPAN}-01`, tracestate);
      }),
    );
  });
});

describe('tracestate', () => {
  const stateOf = (tracestate: unknown): string | undefined =>
    parseTraceparent(`00-${TRACE}-${SPAN}-01`, tracestate)?.traceState;

  test.each<[string, unknown, string | undefined]>([
    ['one member', 'foo=1', 'foo=1'],
    ['white space between members', 'foo=1 , \tbar=2', 'foo=1,bar=2'],
    ['empty members', 'foo=1,,bar=2,', 'foo=1,bar=2'],
    ['several headers', ['foo=1', 'bar=2'], 'foo=1,bar=2'],
    ['a tenant', 'fw529a3039@dt=FfAxN', 'fw529a3039@dt=FfAxN'],
    ['a key in upper case', 'FOO=1', undefined],
    ['a member without value', 'foo', undefined],
    ['an equals sign in a value', 'foo=bar=baz', undefined],
    ['a key twice', 'foo=1,foo=2', undefined],
    ['32 members', members(32), members(32)],
    ['33 members', members(33), undefined],
    ['a header that is none', 5, undefined],
  ])('with %s', (_, given, kept) => {
    expect(stateOf(given)).toBe(kept);
  });

  test('that breaks the rules never makes the traceparent invalid', () => {
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-01`, '???')).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      traceFlags: '01',
    });
  });

  test('over 512 characters loses its long members first, then the last ones', () => {
    const long = `long=${'x'.repeat(200)}`;
    const kept = Array.from({ length: 4 }, (_, index) => `k${index}=${'y'.repeat(100)}`);
    expect(stateOf([kept[0], long, ...kept.slice(1)].join(','))).toBe(kept.join(','));
    const many = Array.from({ length: 10 }, (_, index) => `k${index}=${'y'.repeat(100)}`);
    expect(stateOf(many.join(','))).toBe(many.slice(0, 4).join(','));
  });
});

function members(count: number): string {
  return Array.from({ length: count }, (_, index) => `k${index}=${index}`).join(',');
}

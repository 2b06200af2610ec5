import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { formatBytes, formatDuration, parseBytes, parseDuration, type Duration, type Size } from './units.ts';

describe('parseBytes', () => {
  test.each([
    [0, 0],
    [1024, 1024],
    [10.4, 10],
    ['10', 10],
    ['10B', 10],
    ['64K', 65_536],
    ['10M', 10_485_760],
    ['10mb', 10_485_760],
    ['1.5 G', 1_610_612_736],
    [' 2T ', 2_199_023_255_552],
  ])('reads %j', (value, bytes) => {
    expect(parseBytes(value)).toBe(bytes);
  });

  test.each([
    '',
    'M',
    '10X',
    '10BB',
    '-1',
    '1e3',
    '0x10',
    '1,5M',
    '9999999T',
    -1,
    Number.NaN,
    Infinity,
    null,
    {},
    5n,
  ])('refuses %o', (value) => {
    expect(() => parseBytes(value as string)).toThrow(RangeError);
  });

  test('says what it takes and what it got', () => {
    expect(() => parseBytes('ten')).toThrow(
      'size must be a number of bytes or a text like "64K", "10M", "2G"; got "ten"',
    );
  });
});

describe('parseDuration', () => {
  test.each([
    [0, 0],
    [0.5, 0.5],
    ['250', 250],
    ['250ms', 250],
    ['5s', 5000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1w', 604_800_000],
  ])('reads %j', (value, ms) => {
    expect(parseDuration(value)).toBe(ms);
  });

  test.each(['', 's', '5M', '5 min', '-5s', Number.NaN, undefined, [], Symbol('x')])(
    'refuses %o',
    (value) => {
      expect(() => parseDuration(value as string)).toThrow(
        /^duration must be a number of milliseconds or a text like "250ms", "5s", "1d"; got /,
      );
    },
  );
});

describe('formatBytes and formatDuration', () => {
  test.each([
    [0, '0B'],
    [1023, '1023B'],
    [1536, '1.5K'],
    [1024 ** 2 - 1, '1M'],
    [983_040, '960K'],
    [10 * 1024 ** 4, '10T'],
  ])('prints %d bytes', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test.each([
    [0, '0ms'],
    [999, '999ms'],
    [59_999, '1m'],
    [90_000, '1.5m'],
    [1_209_600_000, '14d'],
  ])('prints %d ms', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  const amount = fc.integer({ min: 0, max: 999 });

  test('print what is read back as the same amount', () => {
    fc.assert(
      fc.property(amount, fc.constantFrom('B', 'K', 'M', 'G', 'T'), (count, unit) => {
        const bytes = parseBytes(`${count}${unit}`);
        expect(parseBytes(formatBytes(bytes))).toBe(bytes);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 59 }), fc.constantFrom('ms', 's', 'm'), (count, unit) => {
        const ms = parseDuration(`${count}${unit}`);
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  test('print any amount within half of the last digit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 52 }), (value) => {
        expect(Math.abs(parseBytes(formatBytes(value)) / value - 1)).toBeLessThanOrEqual(0.05);
        expect(Math.abs(parseDuration(formatDuration(value)) / value - 1)).toBeLessThanOrEqual(0.05);
      }),
    );
  });
});

test('the types take numbers and texts with a unit', () => {
  expectTypeOf<'10M'>().toExtend<Size>();
  expectTypeOf<'1.5d'>().toExtend<Duration>();
  expectTypeOf<'10'>().not.toExtend<Size>();
  expectTypeOf<'10X'>().not.toExtend<Size>();
});

import { describe, expect, test } from 'vitest';
import { formatLevel, parseLevel, readLevel } from './level.ts';

describe('parseLevel', () => {
  test.each([
    ['trace', 10],
    ['debug', 20],
    ['info', 30],
    ['warn', 40],
    ['error', 50],
    ['fatal', 60],
    ['silent', Infinity],
  ])('knows %s', (name, level) => {
    expect(parseLevel(name)).toBe(level);
  });

  test.each(['', 'WARN', 'verbose', 'toString', '__proto__', '30'])('refuses %j', (name) => {
    expect(() => parseLevel(name)).toThrow(
      new RangeError(
        `level must be one of trace, debug, info, warn, error, fatal, silent; got ${JSON.stringify(name)}`,
      ),
    );
  });
});

describe('formatLevel', () => {
  test('names the six levels and prints others as numbers', () => {
    expect([10, 60, 35].map(formatLevel)).toEqual(['trace', 'fatal', '35']);
  });
});

describe('readLevel', () => {
  test.each([
    [35, 35],
    ['Warn', 40],
    ['constructor', undefined],
    [Number.NaN, undefined],
    [null, undefined],
    ['30', undefined],
  ])('reads %j as %j', (value, level) => {
    expect(readLevel(value)).toBe(level);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseLine, readTimeMs } from './record.ts';

describe('parseLine', () => {
  test.each(['text', '', '[1]', '1', 'null', 'true', '"x"', '{"a":', '{"a":1}}'])(
    'keeps %j as text',
    (text) => {
      expect(parseLine(text)).toEqual({ level: 30, msg: text });
    },
  );

  test('leaves the carriage return of a line ended by two characters out', () => {
    expect(parseLine('text\r')).toEqual({ level: 30, msg: 'text' });
    expect(parseLine('{"level":40}\r')).toEqual({ level: 40 });
  });

  test('gives a key named __proto__ no power', () => {
    const record = parseLine('{"level":30,"__proto__":{"admin":true}}');
    expect(record['admin']).toBeUndefined();
    expect(Object.keys(record)).toEqual(['level', '__proto__']);
  });

  test('never throws, and loses no text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const record = parseLine(text);
        expect(typeof record).toBe('object');
        if (!text.trimStart().startsWith('{')) expect(record.msg).toBe(text.replace(/\r$/, ''));
      }),
    );
  });
});

describe('readTimeMs', () => {
  test.each([
    ['milliseconds', 1_760_000_000_000, 1_760_000_000_000],
    ['seconds', 1_760_000_000, 1_760_000_000_000],
    ['seconds with a fraction', 1_760_000_000.5, 1_760_000_000_500],
    ['microseconds', 1_760_000_000_000_000, 1_760_000_000_000],
    ['nanoseconds', 1_760_000_000_000_000_000, 1_760_000_000_000],
    ['an ISO date', '2025-10-09T08:53:20.000Z', 1_760_000_000_000],
    ['the least number of milliseconds', 1e11, 1e11],
    ['the beginning', 0, 0],
    ['a time before 1970', -5, -5000],
    ['no date', 'yesterday', undefined],
    ['infinity', Infinity, undefined],
    ['nothing', undefined, undefined],
  ])('reads %s', (_name, value, ms) => {
    expect(readTimeMs(value)).toBe(ms);
  });
});

import { describe, expect, test } from 'vitest';
import { createTimeFormatter } from './time.ts';

describe('createTimeFormatter', () => {
  const time = Date.UTC(2026, 2, 1, 3, 4, 5, 67);
  test.each([
    ['milliseconds', time],
    ['seconds', time / 1000],
    ['microseconds', time * 1000],
    ['nanoseconds', time * 1e6],
    ['an ISO text', '2026-03-01T03:04:05.067Z'],
  ])('reads %s', (_, value) => {
    expect(createTimeFormatter({ style: 'iso', utc: true, pattern: undefined })(value)).toBe(
      '2026-03-01T03:04:05.067Z',
    );
  });

  test.each([[undefined], ['yesterday'], [Number.NaN], [{}], [1e300]])('prints %j as unknown', (value) => {
    expect(createTimeFormatter({ style: 'local', utc: true, pattern: undefined })(value)).toBe(
      '??:??:??.???',
    );
  });

  test.each([
    [true, '03:04:05.067'],
    ['UTC:yyyy-mm-dd HH:MM:ss.l o', '2026-03-01 03:04:05.067 +0000'],
    ['UTC:standard', '2026-03-01 03:04:05.067 +0000'],
    ["UTC:dddd, mmmm d 'at' h:MM TT Z", 'Sunday, March 1 at 3:04 AM UTC'],
    ['UTC:isoDateTime', '2026-03-01T03:04:05+0000'],
    ['SYS:isoUtcDateTime', '2026-03-01T03:04:05Z'],
    ['UTC:longTime', '3:04:05 AM UTC'],
    ['UTC:shortDate', '3/1/26'],
    [false, String(time)],
  ])('translates by %j as pino-pretty does', (pattern, text) => {
    expect(createTimeFormatter({ style: 'local', utc: true, pattern })(time)).toBe(text);
  });

  test('counts from the first record, or from the one before', () => {
    const relative = createTimeFormatter({ style: 'relative', utc: true, pattern: undefined });
    expect([0, 1500, 500].map((ms) => relative(time + ms).trim())).toEqual(['+0.000s', '+1.500s', '+0.500s']);
    const delta = createTimeFormatter({ style: 'delta', utc: true, pattern: undefined });
    expect([0, 1500, 500].map((ms) => delta(time + ms).trim())).toEqual(['+0.000s', '+1.500s', '-1.000s']);
  });
});

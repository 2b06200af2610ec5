import { describe, expect, test } from 'vitest';
import { readRetryAfterMs } from './retry-after.ts';

const NOW_MS = Date.UTC(2026, 10, 24, 12, 0, 0);

describe('readRetryAfterMs', () => {
  test.each([
    ['nothing', undefined, undefined, undefined],
    ['seconds', '7', undefined, 7_000],
    ['none', '0', undefined, 0],
    ['more than ten minutes', '1000000000', undefined, 600_000],
    ['a negative number', '-5', undefined, undefined],
    ['a fraction', '1.5', undefined, undefined],
    ['words', 'soon', undefined, undefined],
    ['a year', '2027', undefined, 600_000],
    ['a date', 'Tue, 24 Nov 2026 12:00:10 GMT', undefined, 10_000],
    ['a date that has passed', 'Tue, 24 Nov 2026 11:00:00 GMT', undefined, 0],
    [
      'a date by a clock that is wrong',
      'Tue, 24 Nov 2026 13:00:10 GMT',
      'Tue, 24 Nov 2026 13:00:00 GMT',
      10_000,
    ],
    ['a date beside a clock that is none', 'Tue, 24 Nov 2026 12:00:10 GMT', 'now', 10_000],
    ['a date that is none', 'Tue, 99 Nov 2026 12:00:10 GMT', undefined, undefined],
  ])('reads %s', (_, retryAfter, date, waitMs) => {
    expect(readRetryAfterMs(retryAfter, date, NOW_MS)).toBe(waitMs);
  });
});

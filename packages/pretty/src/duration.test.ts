import { describe, expect, test } from 'vitest';
import { formatSpanDuration } from './duration.ts';
import { UNICODE } from './glyphs.ts';

describe('formatSpanDuration', () => {
  test.each([
    [0, '0ms'],
    [0.000_812, '0.81µs'],
    [0.812, '812µs'],
    [1, '1.00ms'],
    [18.94, '18.9ms'],
    [999.4, '999ms'],
    [999.6, '1.00s'],
    [1204, '1.20s'],
    [59_999, '60.0s'],
    [125_000, '2m05s'],
    [3_720_000, '1h02m'],
    [-1, '?ms'],
    [Number.NaN, '?ms'],
  ])('prints %d ms as %s', (ms, text) => {
    expect(formatSpanDuration(ms, 3, UNICODE)).toBe(text);
  });
});

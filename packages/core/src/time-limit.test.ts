import { expect, test } from 'vitest';
import { checkTimeLimit } from './time-limit.ts';

test.each([
  [0, 0],
  [1.5, 2],
  [-3, 0],
  [Infinity, 2 ** 31 - 60_000],
  [10_000, 10_000],
])('a time limit of %s ms is one that timers take', (given, limit) => {
  expect(checkTimeLimit(given)).toBe(limit);
});

test.each([Number.NaN, '5', null, {}])('%s is no time limit', (given) => {
  expect(() => checkTimeLimit(given)).toThrow(/^timeoutMs must be a number of milliseconds; got/);
});

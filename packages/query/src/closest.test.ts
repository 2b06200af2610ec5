import { expect, test } from 'vitest';
import { closest } from './closest.ts';

test.each([
  ['paht', ['path', 'level'], 'path'],
  ['inof', ['info', 'warn'], 'info'],
  ['INFO', ['info'], 'info'],
  ['enabeld', ['enabled', 'level'], 'enabled'],
  ['xyz', ['abc'], undefined],
  ['a', ['b'], undefined],
  ['flushinterval', ['flushInterval'], 'flushInterval'],
  ['x'.repeat(5_000), ['level'], undefined],
])('%s among %j is closest to %s', (word, candidates, expected) => {
  expect(closest(word, candidates)).toBe(expected);
});

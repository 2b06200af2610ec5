import * as v from 'valibot';
import { expect, test } from 'vitest';
import { options } from './options.ts';

test('options have defaults', () => {
  expect(v.parse(options, {})).toEqual({
    path: 'data/logs.db',
    synchronous: 'normal',
    indexes: [],
    fullText: false,
  });
});

test('sizes are read with their units', () => {
  expect(v.parse(options, { maxBytes: '2G' }).maxBytes).toBe(2 * 1024 ** 3);
});

test.each([
  [{ path: '' }, 'must be the path of a database file; got ""'],
  [{ path: 5 }, 'must be the path of a database file'],
  [{ synchronous: 'off' }, 'must be "normal" or "full"'],
  [{ indexes: ["x' OR 1"] }, 'must be trace_id or a path like req.status'],
  [{ maxBytes: '1K' }, 'must be at least 1M; got "1K"'],
  [{ maxBytes: 'much' }, 'size must be a number of bytes or a text like "64K", "10M", "2G"; got "much"'],
  [{ pth: 'x' }, 'Invalid key: Expected never but received "pth"'],
])('%j is refused', (input, message) => {
  expect(v.safeParse(options, input).issues?.map((issue) => issue.message)).toEqual([message]);
});

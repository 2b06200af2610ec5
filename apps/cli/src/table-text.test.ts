import { expect, test } from 'vitest';
import { formatTable } from './table-text.ts';

const WIDE = { utc: true, maxWidth: undefined };

test('lays out columns, numbers to the right, levels by name, times as dates', () => {
  const rows = [
    { ts: 1_760_000_040_000, level: 50, source: 'api', count: 12 },
    { ts: 1_760_000_100_500, level: 35, source: null, count: 1 },
  ];
  expect(formatTable(rows, WIDE)).toBe(
    [
      'ts                        level  source  count',
      '2025-10-09 08:54:00Z      error  api        12',
      '2025-10-09 08:55:00.500Z  35     -           1',
      '',
    ].join('\n'),
  );
});

test('prints no control character of the log, and objects as JSON', () => {
  const rows = [{ msg: 'a\u001b[31m\nb', req: { url: '/' }, ms: 1 / 3 }];
  expect(formatTable(rows, WIDE)).toBe(
    ['msg             req             ms', String.raw`a\u001b[31m\nb  {"url":"/"}  0.333`, ''].join('\n'),
  );
});

test('cuts the widest cells to the terminal, visibly', () => {
  const lines = formatTable([{ msg: 'x'.repeat(100), source: 'api', count: 3 }], { utc: true, maxWidth: 40 })
    .trimEnd()
    .split('\n');
  expect(lines[1]).toHaveLength(40);
  expect(lines[1]).toMatch(/^x+… {2}api {5} {4}3$/);
});

test('a table of nothing is nothing', () => {
  expect(formatTable([], WIDE)).toBe('');
});

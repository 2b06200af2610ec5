import { describe, expect, test } from 'vitest';
import { formatErrorTree, readErrorTree, summarizeError, type ErrorFormat } from './error.ts';

const format: ErrorFormat = {
  stack: 'app',
  cwd: '/app',
  lastBranch: '└',
  branch: '├',
  line: '│',
  more: '…',
  escape: (text) => text,
  paintHead: (text) => text,
  paintFrame: (text) => text,
  paintProps: (text) => text,
};

const print = (value: unknown, overrides: Partial<ErrorFormat> = {}): string[] =>
  formatErrorTree(readErrorTree(value), { ...format, ...overrides });

const internals = ['    at node:internal/a:1:1', '    at run (/app/node_modules/x/i.js:2:3)'];

describe('formatErrorTree', () => {
  test('prints nested causes as a tree, with internal frames folded and paths relative', () => {
    const err = {
      type: 'PaymentError',
      code: 'E_PAY',
      message: 'charge failed',
      stack: [
        'PaymentError: charge failed',
        '    at charge (file:///app/src/pay.ts:41:9)',
        ...internals,
      ].join('\n'),
      cause: {
        type: 'FetchError',
        message: 'socket hang up',
        stack: '',
        cause: { type: 'Error', code: 'ECONNRESET', message: 'read ECONNRESET' },
      },
    };
    expect(print(err)).toEqual([
      'PaymentError [E_PAY]: charge failed',
      '  at charge (src/pay.ts:41:9)',
      '  … 2 internal frames',
      '└ caused by FetchError: socket hang up',
      '  └ caused by Error [ECONNRESET]: read ECONNRESET',
    ]);
  });

  test("takes pino's flattened stacks apart, and each error keeps its own message", () => {
    const err = {
      type: 'Error',
      message: 'a: b',
      stack:
        'Error: a\n    at f (/app/f.js:1:1)\n    at main (/app/m.js:9:9)\ncaused by: TypeError: b\n    at g (/app/g.js:1:1)\n    at main (/app/m.js:9:9)',
    };
    expect(print(err)).toEqual([
      'Error: a',
      '  at f (f.js:1:1)',
      '  at main (m.js:9:9)',
      '└ caused by TypeError: b',
      '    at g (g.js:1:1)',
      '    … 1 frame in common',
    ]);
  });

  test('prints the errors of an aggregate before its cause', () => {
    const err = {
      type: 'AggregateError',
      message: 'all failed',
      aggregateErrors: [
        { type: 'Error', message: 'one', cause: 'text' },
        { type: 'Error', message: 'two' },
      ],
      cause: { type: 'Error', message: 'root' },
    };
    expect(print(err)).toEqual([
      'AggregateError: all failed',
      '├ [0] Error: one',
      '│ └ caused by text',
      '├ [1] Error: two',
      '└ caused by Error: root',
    ]);
  });

  test('prints messages of several lines and further properties', () => {
    expect(print({ type: 'Error', message: 'a\nb', status: 502, stack: 'Error: a\nb' })).toEqual([
      'Error: a  status=502',
      '  b',
    ]);
  });

  test('bounds causes, errors and frames, and tells what it cut', () => {
    let deep: unknown;
    for (let level = 0; level < 500; level++) deep = { type: 'Error', message: String(level), cause: deep };
    expect(print(deep).at(-1)?.trim()).toBe('└ … 1 more');
    expect(print({ message: 'x', errors: Array.from({ length: 30 }, (_, index) => index) }).at(-1)).toBe(
      '└ … 10 more',
    );
    const stack = `Error: x\n${'    at f (/app/f.js:1:1)\n'.repeat(150)}`;
    expect(print({ message: 'x', stack: stack.trimEnd() }).at(-1)).toBe('  … 50 more frames');
  });

  test.each([
    [null],
    [undefined],
    [7],
    [[1]],
    [{ message: { toString: 1 }, stack: 5, code: {} }],
    [{ errors: [null], cause: '' }],
  ])('prints %j too', (value) => {
    expect(print(value).length).toBeGreaterThan(0);
  });
});

test('summarizeError names the error and its first cause', () => {
  expect(summarizeError(readErrorTree({ type: 'A', message: 'x', cause: { type: 'B', message: 'y' } }))).toBe(
    'A: x, caused by B: y',
  );
});

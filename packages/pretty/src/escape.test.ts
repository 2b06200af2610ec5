import { describe, expect, test } from 'vitest';
import { escapeText, quoteText } from './escape.ts';

describe('escapeText', () => {
  test.each([
    ['printable ASCII', 'a ~', 'a ~'],
    ['escape sequences', 'a\u001b[31mb', 'a\\x1b[31mb'],
    ['null and DEL', '\u0000\u007f', '\\x00\\x7f'],
    ['carriage returns', 'a\rb', 'a\\x0db'],
    ['8-bit CSI', '\u009b31m', '\\x9b31m'],
    ['line feeds', 'a\nINFO forged', 'a\\nINFO forged'],
    ['tabs, to the next stop of 4', 'ab\tc\t\td', 'ab  c       d'],
    ['bidi overrides', 'a\u202eb\u2066c', 'a\\u{202e}b\\u{2066}c'],
    ['line and paragraph separators, BOM', '\u2028\u2029\ufeff', '\\u{2028}\\u{2029}\\u{feff}'],
    ['lone surrogates and noncharacters', '\ud800x\ufffe', '\ufffdx\ufffd'],
    ['emoji sequences, which are kept', '👩‍👩‍👧 ❤️', '👩‍👩‍👧 ❤️'],
    ['a ninth mark on one base', `a${'\u0301'.repeat(9)}`, `a${'\u0301'.repeat(8)}\\u{301}`],
  ])('shows %s', (_, text, shown) => {
    expect(escapeText(text)).toBe(shown);
  });
});

test('escapeText keeps line feeds where lines get a gutter, and starts tabs anew on each', () => {
  const text = escapeText('abc\r\nd\te\u001b', { lineFeed: '\n', trustColors: false });
  expect(text).toBe('abc\nd   e\\x1b');
});

test('escapeText ends trusted colours with each line, and begins them again on the next', () => {
  const text = '\u001b[1m\u001b[31mred\nmore\u001b[0m\nplain';
  expect(escapeText(text, { lineFeed: '\n', trustColors: true })).toBe(
    '\u001b[1m\u001b[31mred\u001b[0m\n\u001b[1m\u001b[31mmore\u001b[0m\u001b[0m\nplain\u001b[0m',
  );
});

test('escapeText lets trusted colours through, and no other sequence', () => {
  const text = escapeText('\u001b[31mred\u001b[2J', { lineFeed: '\\n', trustColors: true });
  expect(text).toBe('\u001b[31mred\\x1b[2J\u001b[0m');
});

test('quoteText can not be left by a quote in the text', () => {
  expect(quoteText('a" b="c\\')).toBe('"a\\" b=\\"c\\\\"');
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { columnsOf, truncateText, wrapText } from './width.ts';

describe('columnsOf', () => {
  test.each([
    ['abc', 3],
    ['é', 1],
    ['e\u0301', 1],
    ['日本', 4],
    ['👩‍👩‍👧', 2],
    ['…─│', 3],
    ['\u001b[31mred\u001b[0m', 3],
  ])('counts %j as %d', (text, columns) => {
    expect(columnsOf(text)).toBe(columns);
  });
});

describe('wrapText', () => {
  test.each([
    ['short', 10, ['short']],
    ['one two three', 7, ['one two', 'three']],
    ['abcdefghij', 4, ['abcd', 'efgh', 'ij']],
    ['日本語日本語', 5, ['日本', '語日', '本語']],
    ['👩‍👩‍👧👩‍👩‍👧', 3, ['👩‍👩‍👧', '👩‍👩‍👧']],
    ['a \u001b[2mport=\u001b[0m8080', 9, ['a ', '\u001b[2mport=\u001b[0m8080']],
    ['\u001b[31mone two\u001b[0m', 4, ['\u001b[31mone \u001b[0m', '\u001b[31mtwo\u001b[0m']],
  ])('cuts %j at %d columns', (text, columns, pieces) => {
    expect(wrapText(text, columns).map((piece) => piece.replace(/ +$/, ''))).toEqual(
      pieces.map((piece) => piece.replace(/ +$/, '')),
    );
  });

  test('makes no piece wider than the screen, and loses nothing but spaces', () => {
    const word = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.constantFrom('日本', '👩‍👩‍👧', ' '));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 10 }), fc.integer({ min: 4, max: 20 }), (words, columns) => {
        const text = words.join(' ').replace(/\p{C}/gu, '');
        const pieces = wrapText(text, columns);
        for (const piece of pieces) expect(columnsOf(piece.trimEnd())).toBeLessThanOrEqual(columns);
        expect(pieces.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
      }),
    );
  });
});

test('wrapText cuts ASCII, which it does in another way, at the same places as other letters', () => {
  const word = fc.oneof(
    fc.stringMatching(/^x{0,12}$/),
    fc.constantFrom(' ', '  ', '\u001b[31m', '\u001b[0m', '\u001b[1;38;5;130mxx\u001b[0m'),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), fc.integer({ min: 2, max: 20 }), (words, columns) => {
      const text = words.join(' ');
      const visible = (piece: string): string => piece.replace(/\u001b\[[\d;]*m/g, '').trimEnd();
      const pieces = wrapText(text, columns);
      const others = wrapText(`${text.replaceAll('x', 'é')} é`, columns).map((piece) =>
        visible(piece).replaceAll('é', 'x'),
      );
      expect(wrapText(`${text} x`, columns).map(visible)).toEqual(others);
      // Each piece is painted as the same text was before it was cut.
      expect(painted(pieces.join('')).replaceAll(' ', '')).toBe(painted(text).replaceAll(' ', ''));
    }),
    { numRuns: 500 },
  );
});

/** Each visible character with the colour that it has. */
function painted(text: string): string {
  let style = '';
  return [...text.matchAll(/\u001b\[([\d;]*)m|./g)]
    .map(([char, code]) => {
      if (code === undefined) return char === ' ' ? char : `${char}${style}`;
      style = code === '0' ? '' : `<${code}>`;
      return '';
    })
    .join('');
}

test('wrapText cuts texts that are too long to be measured, too', () => {
  for (const text of [
    '日'.repeat(10_000),
    'é'.repeat(10_000),
    '👍'.repeat(5000),
    `\u001b[31m${'x'.repeat(10_000)}\u001b[0m`,
  ]) {
    const pieces = wrapText(text, 11);
    for (const piece of pieces) expect(columnsOf(piece)).toBeLessThanOrEqual(11);
    expect(pieces.join('').replaceAll(/\u001b\[\d+m/g, '')).toBe(text.replaceAll(/\u001b\[\d+m/g, ''));
  }
});

test('truncateText ends with the mark inside the screen', () => {
  expect(truncateText('日本語日本語', 6, '…')).toBe('日本…');
  expect(truncateText('short', 6, '…')).toBe('short');
});

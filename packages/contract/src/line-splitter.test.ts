import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineSplitter } from './line-splitter.ts';

function split(chunks: readonly Buffer[], maxLineBytes?: number): { lines: string[]; truncated: number } {
  const splitter = new LineSplitter(maxLineBytes);
  const runs = [...chunks.map((chunk) => splitter.push(chunk)), splitter.end()].filter(
    (run) => run !== undefined,
  );
  for (const run of runs) expect(run.at(-1)).toBe(10);
  const text = Buffer.concat(runs).toString('latin1');
  return { lines: text === '' ? [] : text.slice(0, -1).split('\n'), truncated: splitter.truncatedLines };
}

/** The simple way: the whole input at once. */
function splitWhole(input: Buffer, maxLineBytes: number): { lines: string[]; truncated: number } {
  const lines = input
    .toString('latin1')
    .split('\n')
    .filter((line) => line !== '');
  return {
    lines: lines.map((line) => line.slice(0, maxLineBytes)),
    truncated: lines.filter((line) => line.length > maxLineBytes).length,
  };
}

describe('LineSplitter', () => {
  test('hands a chunk of whole lines through without copying it', () => {
    const chunk = Buffer.from('a\nb\n');
    const lines = new LineSplitter().push(chunk);
    expect(lines?.buffer).toBe(chunk.buffer);
    expect(lines?.equals(chunk)).toBe(true);
  });

  test('keeps a line until its end comes', () => {
    const splitter = new LineSplitter();
    expect(splitter.push(Buffer.from('a'))).toBeUndefined();
    expect(splitter.push(Buffer.from('b\nc'))?.toString()).toBe('ab\n');
    expect(splitter.end()?.toString()).toBe('c\n');
    expect(splitter.end()).toBeUndefined();
  });

  test.each([
    ['', []],
    ['\n', []],
    ['\n\n\na\n\n\nb\n\n', ['a', 'b']],
    ['a', ['a']],
  ])('leaves empty lines out of %j', (text, expected) => {
    expect(split([Buffer.from(text)]).lines).toEqual(expected);
  });

  test('cuts a line over the limit, and only that line', () => {
    expect(split([Buffer.from('abc'), Buffer.from('def\nok\n')], 4)).toEqual({
      lines: ['abcd', 'ok'],
      truncated: 1,
    });
  });

  test('holds no more of a line without end than the limit', () => {
    const splitter = new LineSplitter(1000);
    for (let chunks = 0; chunks < 1000; chunks++) splitter.push(Buffer.alloc(1000, 'x'));
    expect(splitter.end()?.length).toBe(1001);
    expect(splitter.truncatedLines).toBe(1);
  });

  test('gives the same lines wherever the chunks end', () => {
    const byte = fc.oneof(
      { weight: 1, arbitrary: fc.constant(10) },
      { weight: 3, arbitrary: fc.integer({ min: 0, max: 255 }) },
    );
    const input = fc.array(byte, { maxLength: 80 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(
        input,
        fc.array(fc.nat(12)),
        fc.integer({ min: 1, max: 12 }),
        (bytes, sizes, maxLineBytes) => {
          const chunks: Buffer[] = [];
          let start = 0;
          for (const size of sizes) {
            chunks.push(bytes.subarray(start, start + size));
            start += size;
          }
          chunks.push(bytes.subarray(start));
          expect(split(chunks, maxLineBytes)).toEqual(splitWhole(bytes, maxLineBytes));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

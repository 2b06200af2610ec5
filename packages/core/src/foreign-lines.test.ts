import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readForeignLines } from './foreign-lines.ts';

const asText = (text: string): string => JSON.stringify({ level: 30, msg: text });

const read = (text: string): ReturnType<typeof readForeignLines> =>
  readForeignLines(Buffer.from(text), asText);

const isObject = (line: string): boolean => {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
};

describe('readForeignLines', () => {
  test.each([
    ['a line of pino', '{"level":50,"time":1,"msg":"x"}\n', 0],
    ['an object whose level is not in front', '{"msg":"x","level":50}\n', 0],
    ['an object without a level', '{"a":1}\n', 0],
    ['a level by name', '{"level":"warn","msg":"x"}\n', 0],
    [
      'nested values',
      '{"level":30,"req":{"headers":{"a":["b",{"c":[1,-2.5e3,true,null]}]},"e":{},"f":[]},"msg":"x"}\n',
      0,
    ],
    ['escapes', String.raw`{"level":30,"msg":"a\"b\\\u00e4\n"}` + '\n', 0],
    ['a line that is longer than what is matched', `{"level":30,"msg":"${'x'.repeat(100_000)}"}\n`, 0],
    ['umlauts and emoji', '{"level":30,"msg":"größer 🌲"}\n', 0],
  ])('keeps %s byte for byte', (_, line, textCount) => {
    expect(read(line)).toEqual({ text: line, count: 1, textCount });
  });

  test.each([
    ['plain text', 'plain text', 'plain text'],
    ['an array', '[1,2]', '[1,2]'],
    ['a number', '5', '5'],
    ['null', 'null', 'null'],
    ['a pino line that was cut', '{"level":30,"msg":"x', '{"level":30,"msg":"x'],
    [
      'two lines in one',
      '{"level":30,"msg":"x{"level":30,"msg":"y"}',
      '{"level":30,"msg":"x{"level":30,"msg":"y"}',
    ],
    ['an object that ends in text', '{"level":30}}', '{"level":30}}'],
    ['text with a carriage return', 'plain\r', 'plain'],
    ['indented text', '    at main.js:1', '    at main.js:1'],
  ])('makes %s the message of a text record', (_, line, msg) => {
    expect(read(`${line}\n`)).toEqual({ text: `${asText(msg)}\n`, count: 1, textCount: 1 });
  });

  test('takes the carriage return off an object', () => {
    expect(read('{"level":30}\r\n').text).toBe('{"level":30}\n');
  });

  test('keeps the order of objects and text', () => {
    const { text, count, textCount } = read(
      '{"level":30,"n":1}\nhello\n\n{"n":2}\n \r\nbye\n{"level":40,"n":3}\n',
    );
    expect(text).toBe(
      `{"level":30,"n":1}\n${asText('hello')}\n{"n":2}\n${asText('bye')}\n{"level":40,"n":3}\n`,
    );
    expect({ count, textCount }).toEqual({ count: 5, textCount: 2 });
  });

  test('takes for objects what JSON.parse takes for objects, however the line is damaged', () => {
    const object = fc.object({
      maxDepth: 5,
      values: [fc.string({ unit: 'binary' }), fc.double(), fc.boolean(), fc.constant(null)],
    });
    const damaged = fc
      .tuple(
        object,
        fc.nat(),
        fc.constantFrom('', '"', ',', '{', '}', '[', ']', ':', '0', '\\', 'e', '.', '-', ' '),
      )
      .map(([value, at, insert]) => {
        const line = `{"level":30,"v":${JSON.stringify(value)}}`;
        const cut = at % line.length;
        return line.slice(0, cut) + insert + line.slice(at % 3 === 0 ? cut : cut + 1);
      });
    fc.assert(
      fc.property(damaged, (line) => {
        fc.pre(line.trim() !== '');
        expect(read(`${line}\n`).textCount).toBe(isObject(line) ? 0 : 1);
      }),
      { numRuns: 2000 },
    );
  });

  test('refuses a long line that is broken at its end as fast as it takes a sound one', () => {
    const line = `{"level":30${String.raw`,"k":"\n\n"`.repeat(6000)}`;
    const startMs = performance.now();
    expect(read(`${line}\n`.repeat(20)).textCount).toBe(20);
    expect(performance.now() - startMs).toBeLessThan(1000);
  });

  test('gives one line for each line that is not blank, whatever it holds', () => {
    const line = fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ' ')),
      fc.object().map((value) => JSON.stringify(value)),
      fc.object().map((value) => `{"level":30,${JSON.stringify(value).slice(1)}`),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const { text, count } = read(lines.map((one) => `${one}\n`).join(''));
        const wanted = lines.filter((one) => one.trim() !== '').length;
        expect(count).toBe(wanted);
        expect(text.split('\n').length - 1).toBe(wanted);
      }),
    );
  });
});

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readForeignLines } from './foreign-lines.ts';

const asText = (text: string): string => JSON.stringify({ level: 30, msg: text });

const read = (text: string): ReturnType<typeof readForeignLines> =>
  readForeignLines(Buffer.from(text), asText);

describe('readForeignLines', () => {
  test.each([
    ['a line of pino', '{"level":50,"time":1,"msg":"x"}\n', 0],
    ['an object whose level is not in front', '{"msg":"x","level":50}\n', 0],
    ['an object without a level', '{"a":1}\n', 0],
    ['a level by name', '{"level":"warn","msg":"x"}\n', 0],
    ['a pino line that is broken inside', '{"level":30,"msg":"x}\n', 0],
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

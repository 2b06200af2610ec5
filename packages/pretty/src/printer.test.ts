import { createBatch } from '@treeline/contract';
import { describe, expect, test } from 'vitest';
import type { PrettyOptions } from './options.ts';
import { createPrinter } from './printer.ts';

const options: PrettyOptions = { mode: 'live', time: 'local', utc: true };

function print(lines: readonly unknown[], overrides: Partial<PrettyOptions> = {}): string {
  const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
  const printer = createPrinter({ ...options, ...overrides });
  return printer.write(createBatch(Buffer.from(text))) + printer.end();
}

const time = Date.UTC(2026, 2, 1, 12, 0, 0, 121);

describe('createPrinter', () => {
  test('prints time, level, name, message and fields', () => {
    expect(
      print([
        { level: 40, time, pid: 1, hostname: 'h', name: 'db', rows: 1, sql: 'select', msg: 'slow query' },
      ]),
    ).toBe('12:00:00.121 WARN  db   slow query rows=1 sql="select"\n');
  });

  test('prints a date in flat mode, and one line whatever the message holds', () => {
    expect(print([{ level: 30, time, msg: 'a\nINFO forged' }], { mode: 'flat', time: 'iso' })).toBe(
      '2026-03-01T12:00:00.121Z INFO  a\\nINFO forged\n',
    );
  });

  test('prints an error with its stack below, behind the gutter', () => {
    const err = { type: 'TypeError', message: 'no', stack: 'TypeError: no\n    at a.js:1:2' };
    expect(print([{ level: 50, time, err, msg: 'failed' }])).toBe(
      '12:00:00.121 ERROR      failed\n                        │  TypeError: no\n                        │    at a.js:1:2\n',
    );
  });

  test('keeps lines that are no JSON, made safe', () => {
    expect(print(['plain \u001b[31mtext'], { time: 'none' })).toBe('plain \\x1b[31mtext\n');
  });

  test('prints values of an unexpected type as JSON', () => {
    expect(print([{ level: 30, time, name: 7, msg: { toString: 1 } }], { time: 'none' })).toBe(
      'INFO  7    {"toString":1}\n',
    );
  });

  test('paints the level where colours are wanted', () => {
    expect(print([{ level: 50, time, msg: 'x' }], { color: 'always' })).toContain(
      '\u001b[1;31mERROR\u001b[0m',
    );
  });
});

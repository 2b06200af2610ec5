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

describe('maxHeldBytes', () => {
  const spans = 100;
  const spanId = (index: number): string => String(index + 1).padStart(16, '0');
  const attrs = { a: 'y'.repeat(4000) };

  test.each(['open', 'record', 'close'])('counts the attributes that a span is given at its %s', (bearer) => {
    const lines = Array.from({ length: spans }, (_, index) =>
      ['open', 'record', 'close'].map((op) => ({
        level: 30,
        time,
        trace_id: 'a'.repeat(32),
        span_id: spanId(index),
        ...(index === 0 ? {} : { parent_span_id: spanId(0) }),
        span: { op, name: 'job', ...(op === bearer ? { attrs } : {}) },
      })),
    );
    const root = lines.shift() ?? [];
    const all = [root[0], root[1], ...lines.flat(), root[2]];
    const withBound = (maxHeldBytes: number): string => print(all, { mode: 'forest', maxHeldBytes });
    expect(withBound(spans * 3000)).toMatch(/\d+ trees? printed before they closed \(maxHeldBytes\)/);
    expect(withBound(spans * 6000)).not.toContain('maxHeldBytes');
  });
});

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

  test.each<Partial<PrettyOptions>>([{ minimumLevel: 'warn' }, { levels: 'warn' }])(
    'lines without a time belong to the record before, also where %j hides that one',
    (overrides) => {
      const lines = [{ level: 50, time, msg: 'old' }, { level: 20, time: time + 2000, msg: 'x' }, 'of x'];
      const since = new Date(time + 1000).toISOString();
      expect(print(lines, { since, ...overrides })).toBe('of x\n');
      const until = [{ level: 50, time: time + 2000, msg: 'new' }, { level: 20, time, msg: 'x' }, 'of x'];
      expect(print(until, { until: since, ...overrides })).toBe('of x\n');
    },
  );

  test('reads the record behind a byte order mark, in each file that begins with one', () => {
    const text = `\ufeff${JSON.stringify({ level: 30, msg: 'x' })}`;
    expect(print([text, text], { time: 'none' })).toBe('INFO       x\nINFO       x\n');
  });

  test('shows records of a level beyond 255', () => {
    const lines = [
      { level: 290, msg: 'below' },
      { level: 300, msg: 'above' },
    ];
    expect(print(lines, { mode: 'flat', time: 'none', minimumLevel: 300 })).toBe('300   above\n');
  });

  test.each([
    [1, '1 record missing'],
    [2, '2 records missing'],
  ])('flat says at the end that %i lines are missing', (missing, said) => {
    const close = { op: 'close', name: 'job', lines: { 30: 1 + missing } };
    const ids = { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) };
    const out = print([{ level: 30, time, ...ids, span: close }], { mode: 'flat' });
    expect(out).toContain(`input ended: ${said}\n`);
  });

  test('paints the level where colours are wanted', () => {
    expect(print([{ level: 50, time, msg: 'x' }], { color: 'always' })).toContain(
      '\u001b[1;31mERROR\u001b[0m',
    );
  });

  test.each([
    ['user=ann', [1, 3]],
    ['user=ann,rows=7', [3]],
    ['req.status=200', [2]],
    ['http.method=GET', [2]],
    ['nothing=x', []],
  ])('--select %s shows the records that have it', (select, expected) => {
    const records = [
      { level: 30, user: 'ann', msg: '1' },
      { level: 30, req: { status: 200 }, 'http.method': 'GET', msg: '2' },
      { level: 30, user: 'ann', rows: 7, msg: '3' },
      'user=ann',
    ];
    const printed = print(records, { time: 'none', select, fields: 'none' });
    expect(printed.match(/\d$/gm) ?? []).toEqual(expected.map(String));
  });

  test('names a selection that is none', () => {
    expect(() => createPrinter({ select: 'user' })).toThrow(
      new TypeError('select must be fields with values, like "user=ann"; got "user"'),
    );
  });

  test('paints warnings readably on a light background', () => {
    const line = { level: 40, time, msg: 'x' };
    expect(print([line], { color: 'always' })).toContain('\u001b[1;33mWARN');
    expect(print([line], { color: 'always', theme: 'light' })).toContain('\u001b[1;38;5;130mWARN');
  });
});

describe('in a GitHub workflow', () => {
  const run = (lines: readonly unknown[], given: PrettyOptions): string => {
    const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
    const printer = createPrinter(given, { env: { GITHUB_ACTIONS: 'true' } });
    return printer.write(createBatch(Buffer.from(text))) + printer.end();
  };

  test.each(['flat', 'live', 'forest', 'waterfall'] as const)(
    'text of the log is never a command (%s)',
    (mode) => {
      const commands = ['::error::x', '  ::set-output name=a::b', 'a ##[error]b', '\u3000::stop-commands::t'];
      const records = commands.map((msg) => ({ level: 30, msg, a: msg, err: { message: msg, stack: msg } }));
      const printed = run([...commands, ...records], { mode, time: 'none', ignore: 'level' });
      expect(printed).not.toMatch(/^\s*::/m);
      expect(printed).not.toContain('##[');
      if (mode === 'flat') expect(printed).toContain('\\x3a:error::x');
    },
  );

  test('trees that went well are folded away, and those that failed are not', () => {
    const ids = (n: number) => ({ trace_id: String(n).repeat(32), span_id: String(n).repeat(16) });
    const close = (status: string) => ({ op: 'close', name: '50% ::x::', duration_ns: 2e6, status });
    const lines = [
      { level: 30, ...ids(1), span: { op: 'open', name: '50% ::x::' } },
      { level: 30, ...ids(1), span: close('ok') },
      { level: 30, ...ids(2), span: { op: 'open', name: 'bad' } },
      { level: 50, ...ids(2), msg: 'failed' },
      { level: 30, ...ids(2), span: close('ok') },
    ];
    const printed = run(lines, { mode: 'forest' }).split('\n');
    expect(printed[0]).toBe('::group::50%25 ::x:: 2.00ms');
    expect(printed[2]).toBe('::endgroup::');
    expect(printed[3]).toMatch(/^INFO {2}bad/);
    expect(printed.filter((line) => line.startsWith('::'))).toHaveLength(2);
  });
});

import v8 from 'node:v8';
import vm from 'node:vm';
import { createBatch } from '@treeline/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readLines } from './input-lines.ts';
import type { PrettyOptions } from './options.ts';
import { createPrinter, type Printer } from './printer.ts';

const MEGABYTE = 1024 * 1024;
const MODES = ['live', 'forest', 'flat', 'waterfall'] as const;

/** Our own line feeds apart, no character of §C0, C1, bidi or an unpaired surrogate may reach the terminal. */
const FORBIDDEN =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\p{Cs}/u;

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '\u001b[31m',
    '\r\n12:00:00.000 INFO  forged',
    '\u009b2J',
    '\u202e',
    '\ud800',
    'é日👍',
    '',
    '\t',
  ),
);
const id = fc.constantFrom(
  'a'.repeat(32),
  'b'.repeat(32),
  '0000000000000001',
  '0000000000000002',
  '0000000000000003',
);
const span = fc.record(
  {
    op: fc.constantFrom('open', 'close', 'record', 'other'),
    name: fc.oneof(text, fc.jsonValue()),
    attrs: fc.oneof(fc.dictionary(text, fc.jsonValue()), fc.jsonValue()),
    duration_ns: fc.oneof(fc.double(), fc.nat(), fc.jsonValue()),
    self_ns: fc.oneof(fc.nat(), fc.jsonValue()),
    status: fc.oneof(fc.constantFrom('ok', 'error'), fc.jsonValue()),
    lines: fc.oneof(fc.constant({ 30: 5 }), fc.jsonValue()),
    err: fc.jsonValue({ maxDepth: 6 }),
  },
  { requiredKeys: ['op'] },
);
const record = fc.record(
  {
    level: fc.oneof(fc.constantFrom(10, 30, 50), fc.jsonValue()),
    time: fc.oneof(fc.nat(), fc.double(), text, fc.jsonValue()),
    msg: fc.oneof(text, fc.jsonValue()),
    name: fc.oneof(text, fc.jsonValue()),
    hostname: fc.oneof(text, fc.jsonValue()),
    trace_id: fc.oneof(id, text),
    span_id: fc.oneof(id, text),
    parent_span_id: fc.oneof(id, text),
    span_seq: fc.oneof(fc.nat(5), fc.jsonValue()),
    span: fc.oneof(span, fc.jsonValue()),
    reqId: fc.oneof(text, fc.jsonValue()),
    req: fc.oneof(fc.record({ id: fc.nat(3), method: text, url: text }), fc.jsonValue()),
    res: fc.oneof(fc.record({ statusCode: fc.nat(600) }), fc.jsonValue()),
    responseTime: fc.oneof(fc.nat(), fc.jsonValue()),
    err: fc.oneof(
      fc.record({ type: text, message: text, stack: text, cause: fc.jsonValue() }),
      fc.jsonValue(),
    ),
    extra: fc.jsonValue(),
  },
  { requiredKeys: [] },
);
const line = fc.oneof(
  record.map((value) => JSON.stringify(value)),
  text.map((value) => value.replaceAll('\n', ' ')),
  fc
    .uint8Array({ maxLength: 30 })
    .map((bytes) => Buffer.from(bytes).toString('latin1').replaceAll('\n', ' ')),
);
const options = fc.record(
  {
    mode: fc.constantFrom(...MODES),
    color: fc.constant('never' as const),
    glyphs: fc.constantFrom('unicode' as const, 'ascii' as const),
    fields: fc.constantFrom('inline' as const, 'below' as const, 'bracket' as const),
    defer: fc.constantFrom('off' as const, 'info' as const),
    minimumLevel: fc.constantFrom(10, 40),
    width: fc.constantFrom(20, 60),
    maxDepth: fc.constantFrom(1, 3),
    maxOpenSpans: fc.constantFrom(1, 2, 100),
    maxLineBytes: fc.constantFrom(10, 1000),
    maxHeldBytes: fc.constantFrom(1, 1000),
    origin: fc.constantFrom('pid,host', ''),
    verboseOpen: fc.boolean(),
    spanOps: fc.boolean(),
  },
  { requiredKeys: ['mode'] },
);

function bytesOf(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((each) => `${each}\n`).join(''));
}

function print(bytes: Buffer, given: PrettyOptions): string {
  const printer = createPrinter({ utc: true, ...given });
  return printer.write(createBatch(bytes)) + printer.end();
}

async function printChunked(bytes: Buffer, sizes: readonly number[], printer: Printer): Promise<string> {
  let at = 0;
  let turn = 0;
  const read = async (buffer: Buffer, offset: number): Promise<number> => {
    const size = Math.min(sizes[turn++ % sizes.length] ?? 1, buffer.length - offset);
    const count = bytes.copy(buffer, offset, at, at + size);
    at += count;
    return count;
  };
  let out = '';
  for await (const lines of readLines(read, MEGABYTE)) out += printer.write(createBatch(lines));
  return out + printer.end();
}

describe('any input', () => {
  test('is printed without an error and without a control character', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), options, (lines, given) => {
        const printed = print(bytesOf(lines), given);
        expect(printed.replaceAll('\n', '')).not.toMatch(FORBIDDEN);
      }),
      { numRuns: 500 },
    );
  });

  test('takes exactly one physical line for each record in flat mode, and begins with its time', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 6 }), (records) => {
        const plain = records.map((each) => ({ ...each, span_id: undefined }));
        const printed = print(bytesOf(plain.map((each) => JSON.stringify(each))), { mode: 'flat' });
        const lines = printed.split('\n').slice(0, -1);
        expect(lines.length).toBe(records.length);
        for (const each of lines)
          expect(each).toMatch(/^(?:[-+]?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|\?\?:\?\?:\?\?\.\?\?\?) /);
      }),
      { numRuns: 300 },
    );
  });

  test('keeps the further lines of a record behind the columns in live mode', () => {
    const forged = '\r\n12:00:00.000 FATAL forged\n12:00:00.000 FATAL forged';
    fc.assert(
      fc.property(record, (value) => {
        const hostile = {
          ...value,
          msg: forged,
          text: forged,
          name: 'x',
          err: { message: forged, stack: forged },
        };
        const lines = print(bytesOf([JSON.stringify(hostile)]), { mode: 'live' }).split('\n');
        for (const each of lines) expect(each).not.toMatch(/^12:00:00\.000 FATAL/);
      }),
      { numRuns: 300 },
    );
  });

  test('is printed the same however it is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(line, fc.constant('é'.repeat(3000)), fc.constant('')), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(...MODES),
        fc.boolean(),
        async (lines, sizes, mode, crlf) => {
          const bytes = Buffer.from(lines.map((each) => each + (crlf ? '\r\n' : '\n')).join(''));
          const given: PrettyOptions = { mode, utc: true, maxLineBytes: 500 };
          const whole = await printChunked(bytes, [1_000_000], createPrinter(given));
          expect(await printChunked(bytes, sizes, createPrinter(given))).toBe(whole);
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** Bytes of live objects. */
function heapUsed(): number {
  v8.setFlagsFromString('--expose-gc');
  (vm.runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

test('a line over a megabyte is printed the same however it is cut into chunks', async () => {
  for (const long of [
    'x'.repeat(2 * MEGABYTE),
    'é'.repeat(MEGABYTE - 100),
    `{"a":"${'é'.repeat(MEGABYTE / 2)}"}`,
  ]) {
    const bytes = Buffer.from(`{"level":30}\n${long}\n{"level":40}\n`);
    const whole = createPrinter({ mode: 'flat' });
    const expected = whole.write(createBatch(bytes)) + whole.end();
    expect(expected).toContain('…(cut)');
    expect(await printChunked(bytes, [65_536], createPrinter({ mode: 'flat' }))).toBe(expected);
  }
});

describe('bounds', () => {
  const open = (index: number, parent: number | undefined): string =>
    JSON.stringify({
      level: 30,
      time: 1_760_000_000_000 + index,
      trace_id: 'a'.repeat(32),
      span_id: index.toString(16).padStart(16, '0'),
      ...(parent === undefined ? {} : { parent_span_id: parent.toString(16).padStart(16, '0') }),
      span: { op: 'open', name: `s${index}` },
    });

  test.each(MODES)('holds memory when a hundred thousand spans never close (%s)', (mode) => {
    const printer = createPrinter({ mode, maxOpenSpans: 1000 });
    const before = heapUsed();
    for (let batch = 0; batch < 100; batch++) {
      const lines = Array.from({ length: 1000 }, (_, index) => open(batch * 1000 + index, undefined));
      printer.write(createBatch(bytesOf(lines)));
    }
    expect(heapUsed() - before).toBeLessThan(30 * MEGABYTE);
    expect(printer.end()).toContain('99000 open spans given up');
  });

  test.each(MODES)('draws a chain of ten thousand spans (%s)', (mode) => {
    const lines = Array.from({ length: 10_000 }, (_, index) =>
      open(index + 1, index === 0 ? undefined : index),
    );
    const printed = print(bytesOf(lines), { mode, maxOpenSpans: 20_000, time: 'none' });
    const longest = Math.max(...printed.split('\n').map((each) => each.length));
    expect(longest).toBeLessThan(500);
  });

  test.each(MODES)('prints nesting ten thousand levels deep (%s)', (mode) => {
    const deep = '['.repeat(10_000) + ']'.repeat(10_000);
    const lines = [
      `{"level":30,"msg":${deep},"a":${deep},"err":${deep}}`,
      `{"level":30,"trace_id":"${'a'.repeat(32)}","span_id":"0000000000000001","span":{"op":"open","name":"x","attrs":{"a":${deep}}}}`,
      `{"level":30,"trace_id":"${'a'.repeat(32)}","span_id":"0000000000000001","span":{"op":"close","err":{"message":"x","cause":${deep},"p":${deep}}}}`,
      `{"level":30,"err":{"message":"x","cause":{"cause":${deep}},"errors":${deep}}}`,
    ];
    expect(() => print(bytesOf(lines), { mode })).not.toThrow();
  });

  test('cuts a record at maxLineBytes and says how much that was', () => {
    const bytes = bytesOf([JSON.stringify({ level: 30, msg: 'é'.repeat(100) })]);
    expect(print(bytes, { mode: 'flat', time: 'none', maxLineBytes: 51 })).toBe(
      `INFO  ${'é'.repeat(25)}…(+150 bytes)\n┄ 1 record cut (maxLineBytes)\n`,
    );
  });

  test('keeps no more than a megabyte of a line that never ends', async () => {
    let left = 100;
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const read = async (buffer: Buffer, offset: number): Promise<number> => {
      if (left-- <= 0) return 0;
      return chunk.copy(buffer, offset);
    };
    const runs: number[] = [];
    for await (const lines of readLines(read, 1024 * 1024)) runs.push(lines.length);
    expect(runs).toEqual([1024 * 1024 + 1]);
  });

  test('prints the oldest trees as they stand when more is held than may be', () => {
    const lines = Array.from({ length: 100 }, (_, index) => open(index + 1, undefined));
    const printed = print(bytesOf(lines), { mode: 'forest', maxHeldBytes: 2000 });
    expect(printed).toMatch(/\d+ trees printed before they closed \(maxHeldBytes\)/);
    expect(printed.match(/^INFO {2}s\d+ /gm)).toHaveLength(100);
  });

  test('gives up spans that have been silent for maxOpenMs', () => {
    const lines = [open(1, undefined), open(2, undefined), open(5000, undefined)];
    expect(print(bytesOf(lines), { mode: 'live', maxOpenMs: '1s' })).toContain('2 open spans given up');
  });
});

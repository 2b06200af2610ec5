import type { LogRecord } from '@treeline/contract';
import { describe, expect, test } from 'vitest';
import { parseFilter, parseQuery } from './parse.ts';
import { compareCodePoints, compileFilter, compileLevelFilter } from './predicate.ts';

const NOW_MS = Date.UTC(2026, 2, 4, 12);

function matches(text: string, record: Partial<LogRecord>): boolean {
  const { filter } = parseQuery(text);
  if (!filter) throw new Error('the text has no condition');
  return compileFilter(filter, { nowMs: NOW_MS, utc: true })({ level: 30, ...record });
}

describe('compileFilter', () => {
  test.each<[string, Partial<LogRecord>, boolean]>([
    // Levels by name and number; a record without one counts as info.
    ['level>=warn', { level: 40 }, true],
    ['level>=warn', { level: 30 }, false],
    ['level=35', { level: 35 }, true],
    ['level=35', { level: 35.5 }, true],
    ['level>35', { level: 35.5 }, false],
    ['level>=0', { level: -0.5 }, true],
    // Whole milliseconds; what no date holds is no time.
    ['time=2026-03-04T12:00:00.000Z', { time: NOW_MS + 0.5 }, true],
    ['time>=2026-03-04', { time: 1e23 }, false],
    ['level:debug..info', { level: 20 }, true],
    ['level:error,fatal', { level: 50 }, true],
    // Bare words ignore ASCII case, and search msg only.
    ['TIMEOUT', { msg: 'a timeout came' }, true],
    ['timeout', { msg: 'ok', err: 'timeout' }, false],
    ['any:timeout', { msg: 'ok', err: { causes: ['a Timeout'] } }, true],
    ['any:42', { user: { id: 42 } }, true],
    ['any:30', { level: 30, time: 30 }, false],
    ['É', { msg: 'é' }, false],
    ['k', { msg: '\u212a' }, false],
    ['a.b', { msg: 'axb' }, false],
    // Equality keeps case and type.
    ['source=api', { source: 'API' }, false],
    ['source=api', { name: 'api' }, true],
    ['source=api', { service: 'x', name: 'api' }, true],
    ['type=log', {}, true],
    ['ref=42', { ref_id: 42 }, true],
    ['ref=a', { refId: 'a' }, true],
    ['trace=ab', { trace_id: 'ab' }, true],
    ['req.status=500', { req: { status: 500 } }, true],
    ['req.status=500', { req: { status: '500' } }, false],
    ['req.status="500"', { req: { status: '500' } }, true],
    ['req.status="500"', { req: { status: 500 } }, false],
    ['ok=true', { ok: true }, true],
    ['ok=true', { ok: 1 }, false],
    ['ok=true', { ok: 'true' }, false],
    // Order holds between values of one type.
    ['n>5', { n: 6 }, true],
    ['n>5', { n: '6' }, false],
    ['n<=5', { n: '4' }, false],
    ['n>-5', { n: -4 }, true],
    ['s>b', { s: 'c' }, true],
    ['s>b', { s: 5 }, false],
    // What is absent, null included, satisfies no comparison; a minus is the complement.
    ['a!=1', {}, false],
    ['a!=1', { a: null }, false],
    ['a!=1', { a: 2 }, true],
    ['a!=1', { a: 'x' }, true],
    ['-a=1', {}, true],
    ['-a=1', { a: null }, true],
    ['a?!=1', {}, true],
    ['a?!=1', { a: 1 }, false],
    ['a?=1', {}, true],
    ['a!~x', {}, false],
    ['a!~x', { a: 'y' }, true],
    ['-a~x', {}, true],
    ['exists(a)', { a: false }, true],
    ['exists(a)', { a: null }, false],
    ['a:*', { a: 0 }, true],
    ['exists(a.b)', { a: { b: 1 } }, true],
    // Substrings, expressions, globs.
    ['url~/v1/orders', { url: 'https://x/V1/Orders?a' }, true],
    ['url~/^http/', { url: 'HTTP://x' }, true],
    ['url=~/^http/', { url: 'HTTP://x' }, false],
    ['url=~/^http/i', { url: 'HTTP://x' }, true],
    ['url!=~/^http/', { url: 'ftp://x' }, true],
    ['n~5', { n: 15 }, false],
    ['type:http.*', { type: 'http.request' }, true],
    ['type:http.*', { type: 'HTTP.request' }, false],
    ['type:a*a', { type: 'a' }, false],
    ['type:a*a', { type: 'aa' }, true],
    ['type:*b*d*', { type: 'abcd' }, true],
    ['type:*d*b*', { type: 'abcd' }, false],
    // Lists of a record.
    ['items.[].sku=B', { items: [{ sku: 'A' }, { sku: 'B' }] }, true],
    ['items.[].sku!=B', { items: [{ sku: 'A' }, { sku: 'B' }] }, false],
    ['items.[].sku!=B', { items: [] }, false],
    ['items.[1].sku=B', { items: [{ sku: 'A' }, { sku: 'B' }] }, true],
    ['items.length=1', { items: [1] }, false],
    ['items=1', { items: [1] }, false],
    // Keys as they are.
    ['"user.trace_id"=x', { 'user.trace_id': 'x' }, true],
    ['.level=gold', { level: 30 }, false],
    ['span.name=x', { span: { op: 'open', name: 'x' } }, true],
    ['constructor.name=Object', {}, false],
    ['__proto__:*', {}, false],
    // Times.
    ['ts:2026-03', { time: Date.UTC(2026, 2, 31, 23, 59, 59, 999) }, true],
    ['ts:2026-03', { time: Date.UTC(2026, 3, 1) }, false],
    ['ts>2026-03-03', { time: Date.UTC(2026, 2, 3, 23) }, false],
    ['ts>2026-03-03', { time: Date.UTC(2026, 2, 4) }, true],
    ['ts<=2026-03-03', { time: Date.UTC(2026, 2, 3, 23) }, true],
    ['ts!=2026-03-03', { time: Date.UTC(2026, 2, 3, 23) }, false],
    ['ts:2026-03-01..2026-03-03', { time: Date.UTC(2026, 2, 3, 23) }, true],
    ['ts:2026-03-04', { time: '2026-03-04T10:00:00Z' }, true],
    ['since:90m', { time: NOW_MS - 89 * 60_000 }, true],
    ['since:90m', { time: NOW_MS - 91 * 60_000 }, false],
    ['until:90m', { time: NOW_MS - 91 * 60_000 }, true],
    ['since:today', { time: Date.UTC(2026, 2, 3, 23) }, false],
    ['since:yesterday until:today', { time: Date.UTC(2026, 2, 3, 23) }, true],
    ['since:1h', {}, false],
    // Sets.
    ['a in (1, "x", true)', { a: 'x' }, true],
    ['a in (1, "x", true)', { a: '1' }, false],
    ['a:1,2', { a: 2 }, true],
    // Logic.
    ['a=1 or b=1 c=1', { a: 1 }, true],
    ['(a=1 or b=1) c=1', { a: 1 }, false],
    ['not (a=1 or b=1)', {}, true],
  ])('%s on %j is %s', (text, record, expected) => {
    expect(matches(text, record)).toBe(expected);
  });

  test('runs hostile expressions in linear time', () => {
    const before = performance.now();
    expect(matches('msg=~/^(a+)+$/', { msg: `${'a'.repeat(5_000)}!` })).toBe(false);
    expect(matches(`msg:${'*a'.repeat(50)}b`, { msg: 'a'.repeat(50_000) })).toBe(false);
    expect(performance.now() - before).toBeLessThan(2_000);
  });

  test('refuses a set from a file, which only the command line can read', () => {
    const { filter } = parseQuery('a in @ids');
    expect(() => filter && compileFilter(filter, { nowMs: 0 })).toThrow(TypeError);
  });
});

describe('compileLevelFilter', () => {
  test.each([
    ['level>=warn', 40, true],
    ['level>=warn', 30, false],
    ['level=debug or -level:warn..error', 50, false],
    ['level=debug or -level:warn..error', 60, true],
  ])('%s decides on level %i without a record', (text, level, expected) => {
    expect(compileLevelFilter(parseFilter(text))?.(level)).toBe(expected);
  });

  test('leaves a condition alone that asks for more than levels', () => {
    expect(compileLevelFilter(parseFilter('level>=warn or audit=true'))).toBeUndefined();
  });
});

describe('compareCodePoints', () => {
  test('puts characters beyond the basic plane last, as UTF-8 does', () => {
    const texts = ['\u{1f600}', '\uffee', 'z', '', '\ue000', 'a'];
    expect(texts.toSorted(compareCodePoints)).toEqual(
      texts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
  });
});

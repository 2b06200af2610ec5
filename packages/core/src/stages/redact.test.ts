import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RedactConfig } from '../config/config.ts';
import { compileRedact } from './redact.ts';
import { parseRedactPath } from './redact-path.ts';

function redact(config: Partial<RedactConfig>, line: unknown): string {
  const transform = compileRedact([{ paths: [], keys: [], detectors: [], censor: '***', ...config }]);
  const text = typeof line === 'string' ? line : JSON.stringify(line);
  return transform ? transform(text) : text;
}

describe('redact by path', () => {
  test.each<[path: string, before: unknown, after: unknown]>([
    ['password', { password: 'a', user: { password: 'b' } }, { password: '***', user: { password: 'b' } }],
    [
      'req.headers.cookie',
      { req: { headers: { cookie: 'a', host: 'h' } } },
      { req: { headers: { cookie: '***', host: 'h' } } },
    ],
    [
      '*.password',
      { password: 'a', user: { password: 'b', deep: { password: 'c' } } },
      { password: 'a', user: { password: '***', deep: { password: 'c' } } },
    ],
    [
      '**.password',
      { password: 'a', user: [{ password: { nested: 1 } }] },
      { password: '***', user: [{ password: '***' }] },
    ],
    [
      'users[*].email',
      { users: [{ email: 'a' }, { email: 'b' }] },
      { users: [{ email: '***' }, { email: '***' }] },
    ],
    [
      'err.token',
      { err: { token: 'a', type: 'E' }, span: { op: 'close', err: { token: 'b', type: 'E' } } },
      { err: { token: '***', type: 'E' }, span: { op: 'close', err: { token: '***', type: 'E' } } },
    ],
    ['err', { span: { op: 'close', err: { token: 'b' } } }, { span: { op: 'close', err: '***' } }],
    [
      '*.token',
      { span: { token: 'a', err: { token: 'b' } } },
      { span: { token: '***', err: { token: '***' } } },
    ],
    ['users.1', { users: ['a', 'b', 'c'] }, { users: ['a', '***', 'c'] }],
    ['users[0].name', { users: [{ name: 'a' }, { name: 'b' }] }, { users: [{ name: '***' }, { name: 'b' }] }],
    ['headers["set-cookie"]', { headers: { 'set-cookie': ['a'] } }, { headers: { 'set-cookie': '***' } }],
    ['a.**.z', { a: { z: 1, b: { c: { z: 2 } } }, z: 3 }, { a: { z: '***', b: { c: { z: '***' } } }, z: 3 }],
    ['secrets.**', { secrets: { a: 1, b: { c: 2 } }, c: 3 }, { secrets: { a: '***', b: '***' }, c: 3 }],
    [
      'span.attrs.token',
      { span: { op: 'open', attrs: { token: 't', n: 1 } } },
      { span: { op: 'open', attrs: { token: '***', n: 1 } } },
    ],
    ['*', { level: 30, time: 1, msg: 'x' }, { level: 30, time: 1, msg: '***' }],
  ])('%s', (path, before, after) => {
    expect(JSON.parse(redact({ paths: [path] }, before))).toEqual(after);
  });

  test.each(['', '.a', 'a..b', 'a.', 'a[', 'a[x]', '**', '**.**'])('%j is refused', (path) => {
    expect(typeof parseRedactPath(path)).toBe('string');
  });

  test('a key that is written with escapes is found', () => {
    expect(redact({ paths: ['password'] }, String.raw`{"pass\u0077ord":"a"}`)).toBe(
      String.raw`{"pass\u0077ord":"***"}`,
    );
  });

  test('a line of 200 000 nested objects of the same key takes no longer than its length', () => {
    const depth = 200_000;
    const line = `${'{"a":'.repeat(depth)}{"z":1}${'}'.repeat(depth)}`;
    expect(redact({ paths: ['**.a.**.a.**.z'] }, line)).toBe(line.replace('"z":1', '"z":"***"'));
  });
});

describe('redact by key name', () => {
  test('masks the value at any depth, whatever its type, and nothing else of the line', () => {
    const line =
      '{"level":30,"big":12345678901234567890,"a":{ "token" : {"x":[1,2]} },"token":null,"list":[{"token":1.50}],"msg":"token"}';
    expect(redact({ keys: ['token'] }, line)).toBe(
      '{"level":30,"big":12345678901234567890,"a":{ "token" : "***" },"token":"***","list":[{"token":"***"}],"msg":"token"}',
    );
  });

  test('level and time stay: without them a line is no record', () => {
    expect(redact({ keys: ['level', 'time', 'x'] }, { level: 30, time: 1, x: { level: 2 } })).toBe(
      '{"level":30,"time":1,"x":"***"}',
    );
  });
});

describe('redact by detector', () => {
  test.each([
    ['card', 'paid with 4111 1111 1111 1111 12/27', 'paid with *** 12/27'],
    ['card', '4111-1111-1111-1111', '***'],
    ['card', 'in 2027 4111111111111111 and 5500005555555559.', 'in 2027 *** and ***.'],
    ['card', 'in 2027 4111 1111 1111 1111', 'in 2027 ***'],
    ['card', 'order 4111111111111112', 'order 4111111111111112'],
    [
      'card',
      'trace 4bf92f3577b34da6a3ce929d0e0e4736, at 1760000000000',
      'trace 4bf92f3577b34da6a3ce929d0e0e4736, at 1760000000000',
    ],
    ['card', 'x4111111111111111 0.4111111111111111', 'x4111111111111111 0.4111111111111111'],
    ['jwt', 'Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!', 'Bearer ***!'],
    ['jwt', 'eyJhbGciOiJIUzI1NiJ9 alone', 'eyJhbGciOiJIUzI1NiJ9 alone'],
    ['email', 'from <jo.bloggs+x@mail.example.org>, to Ünal@exämple.de', 'from <***>, to ***'],
    [
      'email',
      'npm i left-pad@1.3.0 @scope/name user@localhost',
      'npm i left-pad@1.3.0 @scope/name user@localhost',
    ],
  ] as const)('%s: %s', (detector, before, after) => {
    expect(JSON.parse(redact({ detectors: [detector] }, { level: 30, msg: before }))).toEqual({
      level: 30,
      msg: after,
    });
  });

  test('a number that is a card number is masked as a whole', () => {
    expect(redact({ detectors: ['card'] }, { level: 30, n: 4111111111111111, time: 4111111111111111 })).toBe(
      '{"level":30,"n":"***","time":4111111111111111}',
    );
  });

  test('a value is found behind escapes', () => {
    expect(redact({ detectors: ['email'] }, String.raw`{"a":"x\u0040example.org \"q\""}`)).toBe(
      String.raw`{"a":"*** \"q\""}`,
    );
  });

  test('text that is no JSON is looked through as text', () => {
    expect(redact({ detectors: ['email'] }, 'mail from jo@example.org')).toBe('mail from ***');
  });

  test('a hostile megabyte is linear', () => {
    for (const piece of ['1 ', 'a@', 'eyJ', '4111-', 'a.', '\\"']) {
      const line = `{"a":${JSON.stringify(piece.repeat(300_000))}}`;
      expect(redact({ detectors: ['card', 'jwt', 'email'] }, line).length).toBeGreaterThan(0);
    }
  }, 20_000);
});

test('what is not to be masked stays as it is, character for character', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      expect(redact({ paths: ['**.nobody-has-this-key', '*.*.*.*.*.*.*.*.*.*.nor this'] }, json)).toBe(json);
    }),
  );
});

test('masking by name agrees with masking the parsed record', () => {
  const mask = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(mask);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, key === 'k' ? '***' : mask(item)]),
    );
  };
  const record = fc.object({ key: fc.constantFrom('k', 'a', '"', '\\', ''), maxDepth: 4 });
  fc.assert(
    fc.property(record, (value) => {
      const line = JSON.stringify(value);
      expect(JSON.parse(redact({ keys: ['k'] }, line))).toEqual(mask(JSON.parse(line)));
    }),
  );
});

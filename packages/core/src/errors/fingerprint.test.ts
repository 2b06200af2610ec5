import { describe, expect, test } from 'vitest';
import { fingerprintOf, normalizeMessage } from './fingerprint.ts';

const withStack = (message: string, ...frames: string[]) => ({
  type: 'Error',
  message,
  stack: [`Error: ${message}`, ...frames.map((frame) => `    at ${frame}`)].join('\n'),
});

describe('fingerprintOf', () => {
  test('is the same for other messages, lines and folders', () => {
    const one = withStack('user 17 is gone', 'load (/app/v1/src/user.js:10:5)', 'node:internal/x:1:1');
    const other = withStack(
      'user 99 is gone',
      'load (file:///srv/app/src/user.js:812:40)',
      '/x/node_modules/y/z.js:1:1',
    );
    expect(fingerprintOf(one)).toBe(fingerprintOf(other));
    expect(fingerprintOf(one)).toMatch(/^[0-9a-f]{16}$/);
  });

  test.each([
    ['type', { ...withStack('m', 'a (/src/a.js:1:1)'), type: 'TypeError' }],
    ['code', { ...withStack('m', 'a (/src/a.js:1:1)'), code: 'ECONNRESET' }],
    ['function', withStack('m', 'b (/src/a.js:1:1)')],
    ['file', withStack('m', 'a (/src/b.js:1:1)')],
    ['cause', { ...withStack('m', 'a (/src/a.js:1:1)'), cause: withStack('other', 'c (/src/c.js:1:1)') }],
  ])('differs by %s', (_, other) => {
    expect(fingerprintOf(other)).not.toBe(fingerprintOf(withStack('m', 'a (/src/a.js:1:1)')));
  });

  test('goes by the message, without what varies, where no frame is the program’s', () => {
    const at = 'node:internal/net:1:1';
    expect(fingerprintOf(withStack('connect 10.0.0.1:80', at))).toBe(
      fingerprintOf(withStack('connect 10.0.0.27:8080', at)),
    );
    expect(fingerprintOf(withStack('connect', at))).not.toBe(fingerprintOf(withStack('read', at)));
  });
});

test.each([
  ['order 4711 of "ann" failed', 'order <n> of <text> failed'],
  ['no 550e8400-e29b-41d4-a716-446655440000 here', 'no <uuid> here'],
  ['token a1b2c3d4e5f6 expired', 'token <id> expired'],
])('normalizeMessage(%j) is %j', (message, expected) => {
  expect(normalizeMessage(message)).toBe(expected);
});

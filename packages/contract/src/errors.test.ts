import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { messageOf, TreelineError } from './errors.ts';

function read(path: string): string {
  return readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8');
}

describe('ErrorCode', () => {
  const codes = [...read('errors.ts').matchAll(/\/\*\* (.*?) \*\/\n  \| '(\w+)'/g)].map(
    ([, meaning, code]) => [code, meaning],
  );
  const rows = [...read('../../../docs/reference/errors.md').matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(
    ([, code, meaning]) => [code, meaning],
  );

  test('stands in the reference, code by code, with the same meaning', () => {
    expect(rows).toEqual(codes);
  });

  test('is found in full by this test', () => {
    const union = /export type ErrorCode =(.*?);/s.exec(read('errors.ts'))?.[1] ?? '';
    expect(codes.map(([code]) => code)).toEqual([...union.matchAll(/\| '(.*)'/g)].map(([, code]) => code));
    expect(codes.length).toBeGreaterThan(5);
    for (const [code] of codes) expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  });
});

describe('TreelineError', () => {
  test('carries its code and cause, and its name without listing it', () => {
    const cause = new Error('EACCES');
    const error = new TreelineError('DESTINATION_UNUSABLE', '"x" can\'t be opened', { cause });
    expect(error).toBeInstanceOf(Error);
    expect([error.code, error.cause, error.name]).toEqual(['DESTINATION_UNUSABLE', cause, 'TreelineError']);
    expect(Object.keys(error)).toEqual(['code']);
    expect(String(error)).toBe('TreelineError: "x" can\'t be opened');
  });
});

describe('messageOf', () => {
  const unprintable = {
    toString() {
      throw new Error('no');
    },
  };

  test.each([
    ['an error', new Error('no route'), 'no route'],
    ['a text', 'no route', 'no route'],
    ['nothing', undefined, 'undefined'],
    ['a symbol', Symbol('x'), 'Symbol(x)'],
    ['an error without a message', Object.assign(new Error(), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    ['an error without anything', new TypeError(), 'TypeError'],
    [
      'several errors in one',
      new AggregateError([new Error('connect ECONNREFUSED ::1:80')]),
      'connect ECONNREFUSED ::1:80',
    ],
    ['an object without a prototype', Object.create(null), 'something that can not be printed was thrown'],
    ['an object that fails to print', unprintable, 'something that can not be printed was thrown'],
  ])('gives the message of %s', (_name, thrown: unknown, message) => {
    expect(messageOf(thrown)).toBe(message);
  });
});

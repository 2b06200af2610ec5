import fc from 'fast-check';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { ERROR_LIMITS, serializeError, serializeThrown, type SerializedError } from './serialize-error.ts';

const serialize = (value: unknown): SerializedError => serializeError(value) as SerializedError;

const throws = (): never => {
  throw new Error('boom');
};

function revoked(target: object = {}): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

describe('serializeError', () => {
  test('keeps type, code, message, stack, properties and each cause by itself', () => {
    class PaymentError extends Error {
      readonly orderId = 9;
      readonly code = 'E_PAY';
    }
    const error = new PaymentError('charge failed', {
      cause: new TypeError('socket hang up', { cause: 'why' }),
    });
    expect(serialize(error)).toEqual({
      type: 'PaymentError',
      code: 'E_PAY',
      message: 'charge failed',
      stack: error.stack,
      orderId: 9,
      cause: { type: 'TypeError', message: 'socket hang up', stack: expect.any(String), cause: 'why' },
    });
  });

  test.each<[string, unknown, unknown]>([
    ['a text', 'why', 'why'],
    ['a number', 42, 42],
    ['null', null, null],
    ['an object', { status: 502 }, { status: 502 }],
    ['a bigint', 10n, '10'],
  ])('keeps a cause that is %s', (_, cause, expected) => {
    expect(serialize(new Error('x', { cause })).cause).toEqual(expected);
  });

  test('keeps the errors of an aggregate', () => {
    const error = new AggregateError([new Error('one'), 'two', new RangeError('three')], 'all');
    expect(serialize(error)).toMatchObject({
      type: 'AggregateError',
      errors: [{ message: 'one' }, 'two', { type: 'RangeError' }],
    });
  });

  test.each<[string, () => object, object]>([
    ['cause is a revoked proxy', () => new Error('x', { cause: revoked() }), { message: 'x' }],
    ['list of errors is a revoked proxy', () => Object.assign(new Error('x'), { errors: revoked([]) }), {}],
    ['property is a revoked proxy', () => Object.assign(new Error('x'), { prop: revoked() }), {}],
    [
      'message is a symbol',
      () => Object.assign(new Error('x'), { message: Symbol('s') }),
      { message: 'Symbol(s)' },
    ],
    [
      'message is a function',
      () => Object.assign(new Error('x'), { message: throws }),
      { message: '[function]' },
    ],
  ])('makes a line of an error whose %s', (_, make, expected) => {
    const serialized = serialize(make());
    expect(serialized).toMatchObject({ type: 'Error', ...expected });
    expect(() => JSON.stringify(serialized)).not.toThrow();
  });

  test.each<[string, () => unknown]>([
    ['long texts', () => Array.from({ length: 100 }, () => 'x'.repeat(8000))],
    ['long keys', () => ({ ['k'.repeat(1_000_000)]: 1 })],
    ['numbers', () => Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => Math.PI))],
  ])('bounds an error with many properties of %s as a whole, and tells that it has cut', (_, make) => {
    const error = Object.assign(
      new Error('x'),
      Object.fromEntries(Array.from({ length: 50 }, (_each, index) => [`p${index}`, make()])),
    );
    const serialized = serialize(error);
    expect(JSON.stringify(serialized).length).toBeLessThan(2 * ERROR_LIMITS.totalChars);
    expect(serialized.cut).toBeGreaterThan(0);
  });

  test('takes a revoked proxy for no error, and makes a text of one that was thrown', () => {
    const proxy = revoked();
    expect(serializeError(proxy) === proxy).toBe(true);
    expect(serializeThrown(proxy)).toMatch(/^\[unreadable: /);
    expect(serializeThrown(Object.create(null))).toEqual({});
  });

  test('knows errors of other realms, and what looks like one', () => {
    expect(serialize(runInNewContext('new TypeError("foreign")'))).toMatchObject({
      type: 'TypeError',
      message: 'foreign',
    });
    expect(serialize({ message: 'm', stack: 's', name: 'Custom' })).toMatchObject({
      type: 'Custom',
      stack: 's',
    });
    expect(serialize(new DOMException('m', 'AbortError'))).toMatchObject({ type: 'AbortError' });
  });

  test.each([['text'], [5], [null], [undefined], [{ a: 1 }]])(
    'gives back %j, which is no error, as it is',
    (value) => {
      expect(serializeError(value)).toBe(value);
    },
  );

  test('is not stopped by what throws when it is read', () => {
    const error = Object.defineProperties(new Error('x'), {
      bad: { enumerable: true, get: throws },
      cause: { get: throws },
      stack: { get: throws },
    });
    expect(serialize(error)).toMatchObject({ message: 'x', bad: '[throws: boom]', cause: '[throws: boom]' });
    const proxy = new Proxy(new Error('x'), {
      get: throws,
      has: throws,
      ownKeys: throws,
      getPrototypeOf: () => Error.prototype,
    });
    expect(() => JSON.stringify(serializeError(proxy))).not.toThrow();
  });

  test('ends at cycles, in causes and in properties', () => {
    const first = new Error('first') as Error & { self?: unknown; data?: unknown };
    first.cause = new Error('second', { cause: first });
    first.self = first;
    const data: Record<string, unknown> = {};
    data['data'] = data;
    first.data = data;
    expect(serialize(first)).toMatchObject({
      self: '[circular]',
      data: { data: '[circular]' },
      cause: { message: 'second', cause: { message: '[seen above]' } },
    });
  });

  test('is bounded, and says how much it cut', () => {
    let deep: unknown = 'end';
    for (let index = 0; index < 20_000; index++) deep = new Error(`level ${index}`, { cause: deep });
    const wide = new AggregateError(
      Array.from({ length: 50 }, () => new Error('x')),
      'wide',
    );
    const large = Object.assign(new Error('m'.repeat(100_000)), {
      data: Array.from({ length: 1000 }, () => ({ a: 1 })),
    });
    expect(depthOf(serialize(deep))).toBe(ERROR_LIMITS.causeDepth);
    expect(serialize(deep).cut).toBe(1);
    expect(serialize(wide)).toMatchObject({ cut: 30 });
    expect(serialize(wide).errors).toHaveLength(ERROR_LIMITS.errors);
    expect(JSON.stringify(serialize(large)).length).toBeLessThan(50_000);
  });

  test('keeps keys such as __proto__ keys', () => {
    const error = Object.assign(new Error('x'), {
      data: JSON.parse('{"__proto__":{"polluted":true}}') as object,
    });
    expect(JSON.stringify(serialize(error))).toContain('"data":{"__proto__":{"polluted":true}}');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('gives JSON of bounded size for whatever errors hold', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
        fc.string(),
        fc.anything(),
        (cause, message, prop) => {
          const error = Object.assign(new Error(message, { cause }), { prop });
          const text = JSON.stringify(serializeError(error));
          expect((JSON.parse(text) as SerializedError).message).toBe(JSON.parse(JSON.stringify(message)));
          expect(text.length).toBeLessThan(1_000_000);
        },
      ),
      { numRuns: 300 },
    );
  });
});

function depthOf(error: unknown): number {
  return typeof error === 'object' && error !== null ? 1 + depthOf((error as { cause?: unknown }).cause) : 0;
}

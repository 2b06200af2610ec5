import { pino, type BaseLogger } from 'pino';
import { describe, expect, test } from 'vitest';
import { guardLogMethod } from './guard.ts';
import { ReservedKeys } from './reserved-keys.ts';

function loggerWithLines(): { logger: BaseLogger; records: Record<string, unknown>[] } {
  const records: Record<string, unknown>[] = [];
  const logger = pino(
    { hooks: { logMethod: guardLogMethod(undefined, new ReservedKeys()) } },
    { write: (line: string) => records.push(JSON.parse(line) as Record<string, unknown>) },
  );
  return { logger, records };
}

function deepError(depth: number): Error {
  let error = new Error('root');
  for (let index = 0; index < depth; index++) error = new Error(`level ${index}`, { cause: error });
  return error;
}

const throwing = (message: string) => () => {
  throw new Error(message);
};

describe('guardLogMethod', () => {
  test.each<[string, object]>([
    [
      'a throwing getter',
      Object.defineProperty({ fine: 1 }, 'bad', { enumerable: true, get: throwing('boom') }),
    ],
    ['a throwing toJSON', { fine: 1, nested: { toJSON: throwing('boom') } }],
    ['a proxy that throws on everything', new Proxy({}, { get: throwing('get'), ownKeys: throwing('keys') })],
    ['an error with a cause chain of 20 000', deepError(20_000)],
    ['a BigInt', { n: 10n ** 30n }],
    ['a cycle', Object.assign(Object.create(null) as { self?: unknown }, { list: [] as unknown[] })],
    ['20 000 keys', Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, index]))],
    ['a key named __proto__', JSON.parse('{"__proto__": {"polluted": true}}') as object],
  ])('%s never throws, gives one valid line, and leaves the next one intact', (_, value) => {
    const { logger, records } = loggerWithLines();
    expect(() => logger.info(value, 'odd')).not.toThrow();
    logger.info('next');
    expect(records).toHaveLength(2);
    expect(records[0]).toMatchObject({ level: 30, msg: 'odd' });
    expect(records[1]).toMatchObject({ level: 30, msg: 'next' });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test.each<[string, unknown[], string]>([
    ['a symbol', [Symbol('x')], 'Symbol(x)'],
    ['a symbol behind fields', [{ a: 1 }, Symbol('x')], 'Symbol(x)'],
    ['a function', [() => 1], '[function]'],
  ])('%s as message gives a valid line', (_, args, msg) => {
    const { logger, records } = loggerWithLines();
    Reflect.apply(logger.info, logger, args);
    expect(records).toMatchObject([{ level: 30, msg }]);
  });

  test('keeps what can be read, and says what can’t', () => {
    const { logger, records } = loggerWithLines();
    const value = { fine: 1 };
    Object.defineProperty(value, 'bad', { enumerable: true, get: throwing('boom') });
    logger.info(value, 'odd');
    expect(records[0]).toMatchObject({ fine: 1, bad: '[throws: boom]', unloggable: 'boom' });
  });

  test('puts an error that pino can’t serialise under err', () => {
    const { logger, records } = loggerWithLines();
    logger.error(deepError(20_000));
    expect(records[0]?.['err']).toMatchObject({
      type: 'Error',
      message: expect.stringContaining('level 19999'),
    });
  });
});

// Logs what loggers choke on, each between two plain lines. Argument: the config as JSON.
import { createLogger } from '@treeline/core';

const boom = () => {
  throw new Error('boom');
};

function deepError(depth) {
  let error = new Error('root');
  for (let n = 0; n < depth; n++) error = new Error(`cause ${n}`, { cause: error });
  return error;
}

const cycle = { name: 'cycle' };
cycle.self = cycle;

const ODD = {
  bigint: { n: 10n ** 30n },
  cycle,
  'throwing getter': Object.defineProperty({ fine: 1 }, 'bad', { enumerable: true, get: boom }),
  'throwing toJSON': { fine: 1, nested: { toJSON: boom } },
  'throwing proxy': new Proxy({}, { get: boom, ownKeys: boom, has: boom, getOwnPropertyDescriptor: boom }),
  '10 MB string': { text: 'x'.repeat(10 * 1024 * 1024) },
  'lone surrogates': { text: 'a\uD800b\uDC00c', '\uD800': 1 },
  'NUL and control characters': { text: '\0\u0001\u001b[31m\n\r\u2028' },
  '20 000 keys': Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`k${n}`, n])),
  __proto__key: JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{}}}'),
  'a level and a time of its own': { level: 'high', time: 'noon', fine: 1 },
  'an error with 20 000 causes': deepError(20_000),
  'a function and a symbol': { f: boom, s: Symbol('s') },
};

const [config] = process.argv.slice(2);
const logger = createLogger(JSON.parse(config));
const thrown = [];
for (const [name, value] of Object.entries(ODD)) {
  logger.info({ before: name }, 'before');
  try {
    logger.warn(value, name);
  } catch (error) {
    thrown.push(`${name}: ${error.message}`);
  }
  logger.info({ after: name }, 'after');
}
logger.child({ level: 'mine', trace_id: 'mine' }).info('a child with reserved bindings');
const { ok } = await logger.flush();
const { reservedKeys, cutLines } = await logger.stats();
console.log(JSON.stringify({ names: Object.keys(ODD), ok, thrown, reservedKeys, cutLines }));

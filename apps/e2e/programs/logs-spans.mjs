// Two requests at once: one with a step inside that waits for the other, which then fails. A third is below the level.
import { once, EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { createLogger } from '@treeline/core';

const logger = createLogger({ level: 'debug', streams: [{ name: 'out', type: 'console', format: 'json' }] });
const db = logger.child({ name: 'db' });
const paying = new EventEmitter();

logger.info({ port: 8080 }, 'server listening');
const get = logger.span('GET /users/:id', { 'http.request.method': 'GET' }, async (span) => {
  db.debug({ key: 'u:42' }, 'cache miss');
  await logger.span('db.query', { 'db.system.name': 'postgresql' }, async () => {
    await once(paying, 'begun');
    db.warn({ rows: 1 }, 'slow query');
  });
  span.set({ 'http.response.status_code': 200 });
});
const pay = logger.span('POST /pay', async () => {
  logger.info({ user: 'ann' }, 'password ok');
  paying.emit('begun');
  await get;
  await setImmediate();
  throw new Error('charge failed');
});
await Promise.allSettled([get, pay]);
logger.span('hidden', {}, { level: 'trace' }, () => logger.trace('nobody sees this'));
await logger.close();

// Logs numbered records at a rate until it is told to stop, and says what became of them. Arguments: the config, records a second.
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@treeline/core';

const [config, perSecond] = process.argv.slice(2);
const TICK_MS = 10;

const logger = createLogger(config);
const stop = new AbortController();
let n = 0;
process.on('message', (message) => {
  if (message === 'stats') void logger.stats().then((stats) => process.send({ type: 'stats', n, stats }));
  else stop.abort();
});

const startMs = performance.now();
while (!stop.signal.aborted) {
  const due = Math.floor(((performance.now() - startMs) / 1_000) * Number(perSecond));
  while (n < due) logger.info({ n: n++ }, 'one of many');
  await sleep(TICK_MS);
}
const closed = await logger.close();
process.send({ type: 'end', n, closed, stats: await logger.stats() }, () => process.disconnect());

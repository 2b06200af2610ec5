// Logs beside streams that misbehave, and says what became of every record. Arguments: the config as JSON, how many records, how many a tick.
import { setImmediate as nextTick, setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@treeline/core';

const [config, lines, perTick] = process.argv.slice(2);
const sink = (type) => ({ type, module: new URL(`./sinks/${type}.mjs`, import.meta.url) });

const logger = createLogger(JSON.parse(config), {
  transports: ['throwing', 'stuck', 'exiting', 'refusing'].map(sink),
});

// Idle is the process with its pipeline up.
logger.info('the first line');
await sleep(500);
const idleRssBytes = process.memoryUsage().rss;
let peakRssBytes = idleRssBytes;
const unbalanced = [];
const statuses = [];
logger.onStatus((status) => statuses.push(status));

/** `accepted + adopted = delivered + dropped + dead-lettered + queued`, in every snapshot. */
async function checkBalance() {
  for (const [name, stats] of Object.entries((await logger.stats()).streams)) {
    const dropped = Object.values(stats.dropped).reduce((sum, n) => sum + n, 0);
    const settled = stats.delivered + dropped + stats.deadLettered + stats.queued;
    if (stats.accepted + stats.adopted !== settled) unbalanced.push({ name, ...stats });
  }
  peakRssBytes = Math.max(peakRssBytes, process.memoryUsage().rss);
}

const padding = 'x'.repeat(230);
const startMs = performance.now();
for (let n = 0; n < Number(lines); n++) {
  logger.info({ n, padding }, 'one of many');
  if (n % Number(perTick) === 0) {
    await nextTick();
    if (n % (Number(perTick) * 10) === 0) await checkBalance();
  } else if (n % 10_000 === 0) peakRssBytes = Math.max(peakRssBytes, process.memoryUsage().rss);
}
const loopMs = performance.now() - startMs;
const flushed = await logger.flush({ timeoutMs: 10_000 });
await checkBalance();
const stats = await logger.stats();
const closed = await logger.close({ timeoutMs: 1_000 });
await checkBalance();
console.log(
  JSON.stringify({ loopMs, flushed, closed, stats, unbalanced, statuses, idleRssBytes, peakRssBytes }),
);

// Logs while the pipeline worker is ended again and again under it. Arguments: the config as JSON, records, how often.
import { syncBuiltinESMExports } from 'node:module';
import { setImmediate as nextTick, setTimeout as sleep } from 'node:timers/promises';
import workerThreads from 'node:worker_threads';

const workers = [];
workerThreads.Worker = class extends workerThreads.Worker {
  constructor(...args) {
    super(...args);
    workers.push(this);
  }
};
syncBuiltinESMExports();
const { createLogger } = await import('@treeline/core');

const [config, lines, kills] = process.argv
  .slice(2)
  .map((argument, index) => (index === 0 ? JSON.parse(argument) : Number(argument)));
const logger = createLogger(config);
const unbalanced = [];

async function checkBalance() {
  for (const [name, stats] of Object.entries((await logger.stats()).streams)) {
    const dropped = Object.values(stats.dropped).reduce((sum, n) => sum + n, 0);
    if (stats.accepted + stats.adopted !== stats.delivered + dropped + stats.deadLettered + stats.queued)
      unbalanced.push({ name, ...stats });
  }
}

for (let n = 0; n < lines; n++) {
  logger.info({ n }, 'one of many');
  if (n % 50 === 0) await nextTick();
  if (n % 500 === 0) await checkBalance();
  if (n > 0 && n % Math.floor(lines / (kills + 1)) === 0) {
    await workers.at(-1).terminate();
    // Some lines are logged while there is no worker.
    await checkBalance();
    await sleep(20);
  }
}
let flushed = await logger.flush({ timeoutMs: 20_000 });
// A request that met a dying worker says so; the next one meets its successor.
for (let attempt = 0; !flushed.ok && attempt < 5; attempt++) {
  await sleep(500);
  flushed = await logger.flush({ timeoutMs: 20_000 });
}
await checkBalance();
console.log(JSON.stringify({ flushed, unbalanced, stats: await logger.stats(), workers: workers.length }));
await logger.close();

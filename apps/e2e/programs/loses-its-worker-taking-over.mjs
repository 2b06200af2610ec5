// Takes over what an earlier process left for a stuck stream, loses its worker meanwhile, and delivers all of it. Arguments: the config
// as JSON, the file whose existence frees the stream.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
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

const [config, release] = process.argv.slice(2);
const stuck = { type: 'stuck', module: new URL('./sinks/stuck.mjs', import.meta.url) };
const logger = createLogger(JSON.parse(config), { transports: [stuck] });
const slow = async () => (await logger.stats()).streams.slow;

logger.info('the next start');
for (let turn = 0; turn < 2; turn++) {
  while ((await slow()).adopted === 0) await sleep(10);
  await workers.at(-1).terminate();
  while ((await slow()).adopted > 0) await sleep(10);
}
fs.writeFileSync(release, '');
let flushed = await logger.flush({ timeoutMs: 30_000 });
for (let attempt = 0; !flushed.ok && attempt < 20; attempt++) {
  await sleep(200);
  flushed = await logger.flush({ timeoutMs: 30_000 });
}
console.log(JSON.stringify({ flushed, stats: await logger.stats() }));
await logger.close();

// Reloads again and again while it logs, and ends the pipeline worker in the middle of every second reload. Argument: how many reloads.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { setImmediate as nextTick, setTimeout as sleep } from 'node:timers/promises';
import workerThreads from 'node:worker_threads';

const workers = [];
workerThreads.Worker = class extends workerThreads.Worker {
  constructor(...args) {
    super(...args);
    if (String(args[0]).includes('pipeline-worker')) workers.push(this);
  }
};
syncBuiltinESMExports();
const { createLogger } = await import('@treeline/core');

/** One stream moves with each version, one is handed over, one comes and goes. */
function writeConfig(version) {
  const streams = [
    { name: 'moves', type: 'sqlite', path: `moves-${version % 3}.db` },
    { name: 'changes', type: 'sqlite', path: 'changes.db', synchronous: version % 2 ? 'full' : 'normal' },
    ...(version % 2 ? [{ name: 'comes', type: 'file', path: 'comes.log' }] : []),
  ];
  fs.writeFileSync('logging.json', JSON.stringify({ reload: { watch: false }, streams }));
}

writeConfig(0);
const logger = createLogger('logging.json');
let n = 0;
const log = (count) => {
  for (let index = 0; index < count; index++) logger.info({ n: n++ });
};
log(1);
let rejected = 0;
for (let version = 1; version <= Number(process.argv[2]); version++) {
  log(300);
  writeConfig(version);
  const reloaded = logger.reload();
  for (let part = 0; part < 5; part++) {
    log(50);
    await nextTick();
  }
  if (version % 2 === 0) {
    await sleep((version % 5) * 8);
    await workers.at(-1).terminate();
    log(50);
  }
  // Where the worker died in the middle, the reload is asked for once more.
  await reloaded.catch(() => {
    rejected++;
    return logger.reload();
  });
}
const closed = await logger.close();
console.log(JSON.stringify({ n, rejected, closed, stats: await logger.stats() }));

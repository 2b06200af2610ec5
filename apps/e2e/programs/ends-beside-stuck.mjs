// Logs records beside a stuck destination, and exits or closes; tells what became of them. Arguments: the config as JSON, which of the
// two, the number of records.
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@treeline/core';

const [config, way, lines] = process.argv.slice(2);
const stuck = { type: 'stuck', module: new URL('./sinks/stuck.mjs', import.meta.url) };
const logger = createLogger(JSON.parse(config), { transports: [stuck] });
const statuses = [];
logger.onStatus((status) => statuses.push(status));
for (let n = 0; n < Number(lines); n++) logger.info({ n }, 'one of many');
while ((await logger.stats()).underWay > 0) await sleep(20);
if (way === 'close') {
  await logger.close({ timeoutMs: 300 });
  console.log(JSON.stringify({ stats: await logger.stats(), statuses }));
} else process.on('exit', () => writeSync(1, JSON.stringify({ statuses })));
process.exit(0);

// Logs beside a stuck destination and exits with 5. Arguments: the config as JSON, the number of records.
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@treeline/core';

const [config, lines] = process.argv.slice(2);
const LATE = 40;
const stuck = { type: 'stuck', module: new URL('./sinks/stuck.mjs', import.meta.url) };
const logger = createLogger(JSON.parse(config), { transports: [stuck] });
for (let n = 0; n < Number(lines); n++) logger.info({ n }, 'one of many');
// Each would wait as long as the end itself, were the limit not for all together.
process.on('exit', () => {
  for (let late = 1; late <= LATE; late++) logger.info({ late }, 'from an exit handler');
});
// Time for the healthy stream to be told apart from the stuck one.
await sleep(300);
process.exit(5);

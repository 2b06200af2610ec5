// Logs until it is killed, and says on stdout which record's call has returned. Arguments: the config as JSON, the first number.
import fs from 'node:fs';
import { createLogger } from '@treeline/core';

const [config, first] = process.argv.slice(2);
const sink = (type) => ({ type, module: new URL(`./sinks/${type}.mjs`, import.meta.url) });
const logger = createLogger(JSON.parse(config), { transports: ['throwing', 'stuck', 'exiting'].map(sink) });

let n = Number(first);
const padding = 'x'.repeat(200);
function logSome() {
  for (let i = 0; i < 20; i++) {
    logger.info({ n, padding }, 'one of many');
    n++;
  }
  // One write for each batch of calls: what was said is with the kernel, whatever comes.
  fs.writeSync(1, `${n - 1}\n`);
  setImmediate(logSome);
}
logSome();

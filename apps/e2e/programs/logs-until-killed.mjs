// Logs until it is killed, and says on stdout which record's call has returned. Arguments: the config as JSON, the first number, after
// how many records (if at all) a logger is closed and the next one made.
import { createLogger } from '@treeline/core';
import { say } from './say.mjs';

const [config, first, perLogger = 'Infinity'] = process.argv.slice(2);
const sink = (type) => ({ type, module: new URL(`./sinks/${type}.mjs`, import.meta.url) });
const open = () => createLogger(JSON.parse(config), { transports: ['refusing', 'stuck'].map(sink) });

let logger = open();
let left = Number(perLogger);
let n = Number(first);
const padding = 'x'.repeat(200);
async function logSome() {
  for (let i = 0; i < 20; i++) {
    logger[n % 10 === 0 ? 'error' : 'info']({ n, padding }, 'one of many');
    n++;
  }
  // One write for each batch of calls: what was said is with the kernel, whatever comes.
  say(`${n - 1}`);
  left -= 20;
  if (left <= 0) {
    await logger.close();
    logger = open();
    left = Number(perLogger);
  }
  setImmediate(() => void logSome());
}
void logSome();

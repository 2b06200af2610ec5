// Logs 2 000 records a second until it is killed, or for as long as it is told to, and says on stdout which record's call has returned.
// Arguments: the config as JSON, the first number, milliseconds.
import { createLogger } from '@treeline/core';
import { say } from './say.mjs';

const [config, first, durationMs] = process.argv.slice(2);
const logger = createLogger(JSON.parse(config));
const startMs = performance.now();
let n = 0;
const timer = setInterval(() => {
  const passedMs = performance.now() - startMs;
  while (n < passedMs * 2) logger.info({ n: Number(first) + n++, padding: 'x'.repeat(200) }, 'one of many');
  say(`${Number(first) + n - 1}`);
  if (passedMs < Number(durationMs)) return;
  clearInterval(timer);
}, 10);

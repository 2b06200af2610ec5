// Logs one long message again and again to a terminal that becomes wider in between.
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@treeline/core';

const LINES = 10;
const PAUSE_MS = 50;

const logger = createLogger({ streams: [{ type: 'console' }] });

async function logLines() {
  for (let line = 0; line < LINES; line++) {
    logger.info('word '.repeat(40));
    await logger.flush();
    await sleep(PAUSE_MS);
  }
}

execFileSync('stty', ['cols', '50'], { stdio: 'inherit' });
await logLines();
execFileSync('stty', ['cols', '90'], { stdio: 'inherit' });
await logLines();
await logger.close();

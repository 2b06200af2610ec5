// Logs once and has nothing more to do: the process ends by itself.
import { createLogger } from '@treeline/core';

const logger = createLogger(JSON.parse(process.argv[2]));
logger.info({ n: 0 }, 'the only line');
const second = createLogger(JSON.parse(process.argv[3]));
second.info({ n: 1 }, 'given back by its dispose method');
await second[Symbol.asyncDispose]();

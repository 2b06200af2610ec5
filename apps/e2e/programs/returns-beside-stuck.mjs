// Logs one record beside a stuck destination and returns. Argument: the config as JSON.
import { createLogger } from '@treeline/core';

const stuck = { type: 'stuck', module: new URL('./sinks/stuck.mjs', import.meta.url) };
const logger = createLogger(JSON.parse(process.argv[2]), { transports: [stuck] });
logger.info({ n: 0 }, 'one of one');

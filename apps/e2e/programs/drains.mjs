// Delivers what earlier processes left behind, and what became of it. Argument: the config as JSON.
import { createLogger } from '@treeline/core';

const sink = (type) => ({ type, module: new URL(`./sinks/${type}.mjs`, import.meta.url) });
const logger = createLogger(JSON.parse(process.argv[2]), { transports: ['stuck', 'refusing'].map(sink) });
logger.info('the next start');
const flushed = await logger.flush({ timeoutMs: 30_000 });
const stats = await logger.stats();
await logger.close();
console.log(JSON.stringify({ flushed, stats }));

import { createLogger } from '@treeline/core';

// Logs at every level by loggers of several names; where it goes, and by which levels, its environment says.
const [folder] = process.argv.slice(2);
const logger = createLogger({
  directory: folder,
  streams: [
    { name: 'inherits', type: 'file', path: 'inherits.log' },
    { name: 'own', type: 'file', level: 'debug', path: 'own.log' },
  ],
});
for (const name of ['root', 'db', 'http']) {
  const child = name === 'root' ? logger : logger.child({ name });
  for (const level of ['trace', 'debug', 'info', 'warn']) child[level](`${name} ${level}`);
}
logger.span('request', { method: 'POST' }, () => logger.child({ name: 'http' }).trace('http trace in POST'));
logger.span('noisy', () => logger.info('noisy info'));
await logger.close();

import { createLogger } from '@treeline/core';

// Ends while its records are held back, or after: `how` says which.
const [how, path] = process.argv.slice(2);
const logger = createLogger(
  { level: 'info', levels: { '[request]': 'trace' }, streams: [{ name: 'out', type: 'file', path }] },
  { hold: how === 'flood' ? { maxRecords: 100 } : true },
);
logger.debug('a detail');
logger.info('starts');
logger.warn('is doubtful');
logger.error('is broken');

const endings = {
  help: () => {
    process.stdout.write('the help\n');
    process.exit(0);
  },
  fails: () => process.exit(3),
  throws: () => {
    throw new Error('crash');
  },
  rejects: () => void Promise.reject(new Error('crash')),
  signal: () => {
    process.kill(process.pid, 'SIGTERM');
    setInterval(() => undefined, 1000);
  },
  survives: async () => {
    for (let signals = 0; signals < 2; signals++) {
      const arrived = new Promise((resolve) => process.once('SIGTERM', resolve));
      const timer = setInterval(() => undefined, 1000);
      process.kill(process.pid, 'SIGTERM');
      await arrived;
      clearInterval(timer);
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    }
    logger.release();
    logger.info('after');
  },
  'in-span': () => {
    logger.span('request', () => logger.trace('a trace'));
    logger.release();
  },
  releases: () => {
    logger.level = 'debug';
    logger.span('ready', () => logger.release());
    logger.release();
    logger.info('after');
  },
  quiet: () => {
    logger.level = 'error';
    logger.release();
  },
  closes: () => void logger.close(),
  silent: () => {
    logger.discard();
    logger.fatal('swallowed');
  },
  rescues: () => {
    logger.discard({ keepLevel: 'error' });
    logger.info('swallowed');
    logger.fatal('the end');
  },
  flood: () => {
    for (let index = 0; index < 1000; index++) logger.info(`n ${index}`);
    logger.release();
  },
};
endings[how]();

// Logs `lines` records and ends in the way that is asked for. Arguments: the config as JSON, the way, the number of records.
import { createLogger } from '@treeline/core';

const [config, way, lines] = process.argv.slice(2);

const logFromExit = (n) => () => logger.info({ late: n }, 'from an exit handler');
const handlesSignal = (signal) => process.once(signal, () => process.exit(40));

if (way.endsWith('-handled-before')) handlesSignal(way.split('-')[0]);
process.on('exit', (code) => logFromExit(1)(code));
if (way.endsWith('-signal-exit')) {
  const { onExit } = await import('signal-exit');
  onExit(() => {});
}

const logger = createLogger(JSON.parse(config));
process.on('exit', logFromExit(2));
if (way.endsWith('-handled-after')) handlesSignal(way.split('-')[0]);

for (let n = 0; n < Number(lines); n++) logger.info({ n }, 'one of many');

const [kind] = way.split('-');
if (kind === 'exit') process.exit(7);
if (kind === 'throw') throw new Error('the original message');
if (kind === 'reject') void Promise.reject(new Error('the original rejection'));
if (kind === 'SIGTERM' || kind === 'SIGINT') {
  // Alive until the signal comes.
  setInterval(() => {}, 1000);
  process.kill(process.pid, kind);
}
if (kind === 'close') await logger.close();

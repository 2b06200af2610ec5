// Logs through pino targets and ends in the way that is asked for. Arguments: the config as JSON, the transports as JSON, the way, the
// number of records.
import { createLogger } from '@treeline/core';

const [config, transports, way, lines] = process.argv.slice(2);
const logger = createLogger(JSON.parse(config), { transports: JSON.parse(transports) });
const statuses = [];
logger.onStatus((status) => statuses.push(status));

for (let n = 0; n < Number(lines); n++) logger.info({ n }, 'one of many');

if (way === 'exit') process.exit(7);
if (way === 'throw') throw new Error('the original message');
if (way === 'flush') {
  const flushed = await logger.flush();
  const stats = await logger.stats();
  console.log(JSON.stringify({ flushed, stats, statuses }));
}

// Logs through pino to the network transport by itself. Arguments: its options as JSON, the number of records.
import pino from 'pino';

const [options, lines] = process.argv.slice(2);
const logger = pino({ transport: { target: '@treeline/network', options: JSON.parse(options) } });
for (let n = 0; n < Number(lines); n++) logger.info({ n }, 'one of many');

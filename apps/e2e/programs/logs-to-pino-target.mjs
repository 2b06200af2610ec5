// Logs with plain pino to one transport and ends in the way that is asked for. Arguments: the target, its options as JSON, the way, the
// number of records.
import { pino } from 'pino';

const [target, options, way, lines] = process.argv.slice(2);
const logger = pino({ transport: { target, options: JSON.parse(options) } });

if (way === 'listen') {
  const stream = logger[pino.symbols.streamSym];
  stream.on('error', ({ message }) => console.log(JSON.stringify({ error: message })));
  stream.on('treeline:status', (status) => console.log(JSON.stringify({ status })));
}

for (let n = 0; n < Number(lines); n++) logger.info({ n }, 'one of many');

if (way === 'exit') process.exit(7);
if (way === 'throw') throw new Error('the original message');
if (way === 'reject') void Promise.reject(new Error('the original rejection'));
// What flush has called back for needs no end in good order.
if (way === 'listen') logger.flush(() => {});
if (way === 'flush') logger.flush(() => process.kill(process.pid, 'SIGKILL'));

// Logs through a transport in pino's own thread and tells as JSON what it saw. Takes { options, count, text, end } as its argument.
import { existsSync, readFileSync } from 'node:fs';
import pino from 'pino';

const { options, count, text, end } = JSON.parse(process.argv[2]);
const target = new URL('fixture-transport.mjs', import.meta.url).href;

const seen = { errors: [], status: [], linesAtFlush: undefined };
const report = () => process.stdout.write(`${JSON.stringify(seen)}\n`);

const stream = pino.transport({ target, options });
stream.on('error', (error) => {
  seen.errors.push(error.message);
  report();
});
stream.on('treeline:status', (event) => seen.status.push(event));
const logger = pino(stream);
for (let index = 0; index < count; index++) logger.info({ index, text }, 'line');

if (end === 'exit') process.exit(0);
if (end === 'flush') {
  logger.flush((error) => {
    if (error) seen.errors.push(error.message);
    seen.linesAtFlush = existsSync(options.path)
      ? readFileSync(options.path, 'utf8').split('\n').length - 1
      : 0;
    report();
  });
}

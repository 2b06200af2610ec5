// Logs a record for each line of standard input, or reopens at the line "reopen", and says on stdout what came of it. Stays alive when
// the input has ended. Argument: the config as JSON.
import { createInterface } from 'node:readline';
import { createLogger } from '@treeline/core';

const reopening = { type: 'reopening', module: new URL('./sinks/reopening.mjs', import.meta.url) };
const logger = createLogger(JSON.parse(process.argv[2]), { transports: [reopening] });
setInterval(() => {}, 1000);
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'reopen') logger.info(line);
  console.log(JSON.stringify(line === 'reopen' ? await logger.reopen() : await logger.flush()));
}

// Logs so many records for each number on stdin, and answers with what `flush` and `stats` say. Argument: the config as JSON.
import { createInterface } from 'node:readline';
import { createLogger } from '@treeline/core';

const logger = createLogger(JSON.parse(process.argv[2]));
let n = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const [count, timeoutMs] = line.split(' ').map(Number);
  for (let i = 0; i < count; i++) logger.info({ n: n++, padding: 'x'.repeat(40) }, 'one of many');
  const flushed = await logger.flush({ timeoutMs });
  console.log(JSON.stringify({ flushed, stats: await logger.stats() }));
}
await logger.close();

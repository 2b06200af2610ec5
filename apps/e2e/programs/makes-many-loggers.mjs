// Makes and closes loggers one after the other, and says what is left of them. Argument: how many.
import fs from 'node:fs';
import { createLogger } from '@treeline/core';

const settle = () => new Promise((resolve) => setTimeout(resolve, 200));
const listeners = () => process.eventNames().map((name) => [String(name), process.listenerCount(name)]);
const openFiles = () => fs.readdirSync('/proc/self/fd').length;
const threads = () => fs.readdirSync('/proc/self/task').length;

async function useLogger(index) {
  const logger = createLogger({
    serviceName: 'many',
    streams: [{ name: 'file', type: 'file', path: `out-${index % 10}.log` }],
  });
  logger.info({ n: index }, 'one line');
  await logger.close();
  await logger.close();
}

for (let index = 0; index < 5; index++) await useLogger(index);
await settle();
const before = { listeners: listeners(), openFiles: openFiles(), threads: threads() };
for (let index = 5; index < Number(process.argv[2]); index++) await useLogger(index);
await settle();
const after = { listeners: listeners(), openFiles: openFiles(), threads: threads() };
console.log(JSON.stringify({ before, after }));

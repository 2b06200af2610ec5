// Makes and closes loggers one after the other, and says what is left of them. Argument: how many.
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@treeline/core';

const WAIT_MS = 30_000;

const listeners = () => process.eventNames().map((name) => [String(name), process.listenerCount(name)]);
const openFiles = () => fs.readdirSync('/proc/self/fd').length;
const threads = () => fs.readdirSync('/proc/self/task').length;

async function useLogger(index) {
  const file = { name: 'file', type: 'file', path: `out-${index % 10}.log` };
  // Some have a stream with a thread of its own.
  const db = { name: 'db', type: 'sqlite', path: 'logs.db' };
  const logger = createLogger({ serviceName: 'many', streams: index % 50 === 0 ? [file, db] : [file] });
  logger.info({ n: index }, 'one line');
  await logger.close();
  await logger.close();
}

/** What is left once the worker has ended too, which it does some time after the last logger. */
async function whatIsLeft(idleThreads) {
  for (let waitedMs = 0; threads() > idleThreads && waitedMs < WAIT_MS; waitedMs += 50) await sleep(50);
  return { listeners: listeners(), openFiles: openFiles(), threads: threads() };
}

const idleThreads = threads();
for (let index = 0; index < 5; index++) await useLogger(index);
const before = await whatIsLeft(idleThreads);
for (let index = 5; index < Number(process.argv[2]); index++) await useLogger(index);
const after = await whatIsLeft(idleThreads);
console.log(JSON.stringify({ idleThreads, before, after, rssBytes: process.memoryUsage.rss() }));

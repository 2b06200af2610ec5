import { AsyncResource } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@treeline/core';

// Started with --expose-gc. Keeps the async contexts of spans that have ended, and tells how many of the spans are left, and what
// many requests leave on the heap.
const logger = createLogger({
  level: 'info',
  streams: [{ name: 'out', type: 'file', path: process.argv[2] }],
});
const kept = [];
const spans = [];

async function work(index) {
  await logger.span('request', { index, large: 'x'.repeat(1000) }, async (span) => {
    spans.push(new WeakRef(span));
    kept.push(new AsyncResource('KEPT'), setInterval(() => undefined, 1e6).unref());
    await logger.span('step', async (step) => {
      spans.push(new WeakRef(step));
      kept.push(new AsyncResource('KEPT'));
      await sleep(0);
    });
  });
}

async function collect() {
  for (let turn = 0; turn < 5; turn++) {
    await sleep(5);
    globalThis.gc();
  }
}

for (let index = 0; index < 500; index++) await work(index);
await collect();
const alive = spans.filter((ref) => ref.deref() !== undefined).length;

const count = Number(process.argv[3]);
const requests = async () => {
  for (let index = 0; index < count; index++)
    await logger.span('GET /', { index }, { kind: 'server' }, async () => logger.info('inside'));
  await logger.flush();
  await collect();
  return process.memoryUsage().heapUsed;
};
await requests();
const before = await requests();
const after = await requests();
await logger.close();
process.stdout.write(
  JSON.stringify({ alive, spans: spans.length, kept: kept.length, grownBytes: after - before }),
);

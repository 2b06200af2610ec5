// Logs in ticks, as a busy program does, and says on stderr what the main thread's CPU was per call. Arguments: the contender, records,
// records a tick, folder, streams.
import { readFileSync } from 'node:fs';
import { setImmediate as nextTick } from 'node:timers/promises';
import { createLogger } from '@treeline/core';
import { pino } from 'pino';

const [contender, lines, perTick, folder, streams] = process.argv.slice(2);
const paths = Array.from({ length: Number(streams) }, (_, index) => `${folder}/out-${index}.log`);

const config = (durability) => ({
  serviceName: 'bench',
  directory: folder,
  durability,
  shutdown: { timeout: '60s' },
  streams: paths.map((path, index) => ({ name: `file-${index}`, type: 'file', path })),
});

const CONTENDERS = {
  treeline: () => createLogger(config('none')),
  'treeline, durability process': () => createLogger(config('process')),
  'pino, synchronous': () => pino(pino.destination({ dest: paths[0], sync: true })),
  'pino, worker': () => pino(pino.transport({ target: 'pino/file', options: { destination: paths[0] } })),
};

/** Nanoseconds that this thread has been on a CPU (Linux). */
function threadCpuNs() {
  return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]);
}

const logger = CONTENDERS[contender]();
const padding = 'x'.repeat(180);
const log = (n) =>
  logger.info(
    { n, req: { id: `r${n}`, method: 'GET', url: '/v1/orders' }, padding, durationMs: n % 300 },
    'request completed',
  );
// The start of threads and the warming up of the code are no part of a call's price.
for (let n = 0; n < 20_000; n++) {
  log(n);
  if (n % Number(perTick) === 0) await nextTick();
}
await new Promise((resolve) => setTimeout(resolve, 500));
const startNs = threadCpuNs();
for (let n = 0; n < Number(lines); n++) {
  log(n);
  if (n % Number(perTick) === 0) await nextTick();
}
await nextTick();
process.stderr.write(`${JSON.stringify({ cpuNs: threadCpuNs() - startNs })}\n`);

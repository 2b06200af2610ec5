// Logs a burst into a file stream with the options that are given, and says what that took until the last byte was written.
// Arguments: the stream's options as JSON, the number of records.
import fs from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createLogger } from '@treeline/core';

const [options, lines] = process.argv.slice(2);
const stream = { name: 'file', type: 'file', path: 'app.log', ...JSON.parse(options) };
const logger = createLogger({ serviceName: 'bench', streams: [stream] });
const text = 'x'.repeat(240);

/** What the logging thread alone was on a processor: https://docs.kernel.org/scheduler/sched-stats.html */
const threadMs = () =>
  Number(fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;

logger.info('the first line starts the pipeline');
await logger.flush();
const startMs = performance.now();
const startThreadMs = threadMs();
const cpuBefore = process.cpuUsage();
for (let n = 0; n < Number(lines); n++) {
  logger.info({ n, text }, 'hello');
  if (n % 1000 === 0) await nextTurn();
}
const loopThreadMs = threadMs() - startThreadMs;
await logger.flush({ timeoutMs: 60_000 });
const totalMs = performance.now() - startMs;
const { user, system } = process.cpuUsage(cpuBefore);
const { streams } = await logger.stats();
await logger.close({ timeoutMs: 60_000 });
console.log(
  JSON.stringify({ totalMs, loopThreadMs, cpuMs: (user + system) / 1000, delivered: streams.file.delivered }),
);

import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@treeline/core';
import { followLogs } from '@treeline/sqlite/follow';
import { openLogStore } from '@treeline/sqlite';
import { numberArgument, percentile, printHeader, printTable } from './report.ts';

/* From `info()` to the moment another connection sees the row, at a quiet pace; looking every 5 ms is part of the figure. */

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-bench-'));
const path = join(folder, 'logs.db');
const count = numberArgument('records', 1000);
openLogStore(path).close();
const ending = new AbortController();
const delays: number[] = [];
const seen = (async () => {
  for await (const row of followLogs(path, { pollMs: 5, signal: ending.signal, filter: 'exists(sentMs)' })) {
    delays.push(performance.now() - Number(row.record.sentMs));
    if (delays.length === count) ending.abort();
  }
})();
const logger = createLogger({ streams: [{ name: 'store', type: 'sqlite', path }] });
printHeader(`${count} records, a hundred a second`);
for (let index = 0; index < count; index++) {
  logger.info({ sentMs: performance.now() }, 'quiet');
  await new Promise((resolve) => setTimeout(resolve, 10));
}
await logger.close();
await seen;
printTable([
  {
    'p50 ms': percentile(delays, 50).toFixed(0),
    'p99 ms': percentile(delays, 99).toFixed(0),
    'max ms': Math.max(...delays).toFixed(0),
  },
]);
fs.rmSync(folder, { recursive: true, force: true });

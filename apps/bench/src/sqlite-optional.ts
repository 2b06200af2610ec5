import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { examineStore, openLogReader } from '@treeline/sqlite';
import { fillDay, openSink } from './day-store.ts';
import { median, numberArgument, printHeader, printTable } from './report.ts';

/*
 * What each optional index costs when rows are written, in space, and what it gives back: `--rows` of one day, processor time of the
 * process, the full-text index until it has come up with the rows.
 */

const CASES: Readonly<Record<string, object>> = {
  none: {},
  trace_id: { indexes: ['trace_id'] },
  'a path (userId)': { indexes: ['userId'] },
  fullText: { fullText: true },
};

const rows = numberArgument('rows', 500_000);
const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-bench-'));
printHeader(`optional indexes over ${rows} rows`);

const results: Record<string, string | number>[] = [];
for (const [name, options] of Object.entries(CASES)) {
  const path = join(folder, `${results.length}.db`);
  const sink = await openSink(path, options);
  const cpuBefore = process.cpuUsage();
  let writeMs = 0;
  const beganMs = performance.now();
  await fillDay(sink, rows, (_, ms) => (writeMs += ms));
  while ((examineStore(path).fullTextBehind ?? 0) > 0) await sleep(200);
  const ms = performance.now() - beganMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  await sink.close();
  const { parts } = examineStore(path);
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  results.push({
    index: name,
    'write rows/s': Math.round((rows / writeMs) * 1000).toLocaleString('en'),
    'CPU µs a row': ((user + system) / rows).toFixed(1),
    'until all is indexed, s': (ms / 1000).toFixed(1),
    'bytes a row': Math.round(bytes / rows),
    'rare text ms': time(path, { text: `customer 76 of`, limit: 100 }),
    'userId=321 over all ms': time(path, { filter: 'userId=321', limit: 10_000 }),
  });
  fs.rmSync(path);
}
printTable(results);
fs.rmSync(folder, { recursive: true, force: true });

function time(path: string, query: object): string {
  const reader = openLogReader(path);
  const times = Array.from({ length: 5 }, () => {
    const beganMs = performance.now();
    reader.queryLogs(query);
    return performance.now() - beganMs;
  });
  reader.close();
  return median(times).toFixed(1);
}

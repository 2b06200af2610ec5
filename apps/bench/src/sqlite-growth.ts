import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { Worker, isMainThread } from 'node:worker_threads';
import { fillDay, openSink } from './day-store.ts';
import { formatRate, numberArgument, printHeader, printTable } from './report.ts';

/*
 * Does the rate fall as the store grows? The sink alone, in a thread of its own as core runs it; making the lines is not counted. `--rows`
 * sizes it, in ten steps; the last column is the rate over that of the first fifth.
 */

async function run(): Promise<void> {
  const rows = numberArgument('rows', 5_000_000);
  const stepRows = rows / 10;
  const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-bench-'));
  printHeader(`the sink's rate as a store of one day grows to ${rows} rows`);
  const sink = await openSink(join(folder, 'logs.db'));
  const steps: { rows: number; ms: number }[] = [];
  let step = { rows: 0, ms: 0 };
  let before = 0;
  await fillDay(sink, rows, (soFar, ms) => {
    step = { rows: step.rows + soFar - before, ms: step.ms + ms };
    before = soFar;
    if (soFar < stepRows * (steps.length + 1)) return;
    steps.push(step);
    step = { rows: 0, ms: 0 };
  });
  await sink.close();
  const rate = (some: readonly { rows: number; ms: number }[]): number =>
    some.reduce((sum, each) => sum + each.rows, 0) / some.reduce((sum, each) => sum + each.ms, 0);
  const first = rate(steps.slice(0, 2));
  printTable(
    steps.map((each, index) => ({
      rows: Math.round(stepRows * (index + 1)).toLocaleString('en'),
      'rows/s': formatRate(each.rows, each.ms),
      'to the first fifth': (rate([each]) / first).toFixed(2),
    })),
  );
  console.log(`last fifth to the first: ${(rate(steps.slice(-2)) / first).toFixed(2)}\n`);
  fs.rmSync(folder, { recursive: true, force: true });
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  worker.on('error', (error) => console.error(error));
} else await run();

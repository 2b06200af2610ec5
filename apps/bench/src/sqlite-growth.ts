import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { Worker, isMainThread } from 'node:worker_threads';
import { createBatch, parseOptions } from '@treeline/contract';
import sqlite from '@treeline/sqlite';
import { formatRate, numberArgument, printHeader, printTable } from './report.ts';
import { sampleLine } from './sample.ts';

/* Does the rate fall as the store grows? The sink alone, in a thread of its own as core runs it; making the lines is not counted. */

const BATCH = 10_000;
const STEP = 500_000;

async function run(): Promise<void> {
  const rows = numberArgument('rows', 5_000_000);
  const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-bench-'));
  const path = join(folder, 'logs.db');
  printHeader(`the sink's rate as a store of one day grows to ${rows} rows`);
  const sink = await sqlite.definition.open(await parseOptions(sqlite.definition, { path }), {
    streamName: 'store',
    report: (event) => console.error(event),
  });
  const firstMs = Date.UTC(2026, 0, 1);
  const stepMs = 86_400_000 / rows;
  const steps: { rows: string; 'rows/s': string }[] = [];
  let ms = 0;
  for (let from = 0; from < rows; from += BATCH) {
    const lines = Array.from({ length: BATCH }, (_, index) =>
      sampleLine(
        from + index,
        Math.floor(firstMs + (from + index) * stepMs),
        `service-${(from + index) % 8}`,
      ),
    );
    const batch = createBatch(Buffer.from(lines.join('')), { logId: 'bench', seq: from + 1 });
    const beganMs = performance.now();
    await sink.write(batch);
    ms += performance.now() - beganMs;
    if ((from + BATCH) % STEP !== 0) continue;
    steps.push({ rows: (from + BATCH).toLocaleString('en'), 'rows/s': formatRate(STEP, ms) });
    ms = 0;
  }
  await sink.close();
  printTable(steps);
  const keep = process.argv.includes('--keep');
  if (keep) console.log(path);
  else fs.rmSync(folder, { recursive: true, force: true });
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  worker.on('error', (error) => console.error(error));
} else await run();

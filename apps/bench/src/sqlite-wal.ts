import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { createBatch, formatBytes, parseOptions } from '@treeline/contract';
import sqlite, { openLogReader } from '@treeline/sqlite';
import { formatRate, numberArgument, printHeader, printTable } from './report.ts';
import { sampleLine } from './sample.ts';

/* Two readers that never pause, each in the middle of a statement when the other one begins, while the sink writes what it can. */

async function write(path: string, durationMs: number): Promise<void> {
  const sink = await sqlite.definition.open(await parseOptions(sqlite.definition, { path }), {
    streamName: 'store',
    report: (event) => console.error(event.reason),
  });
  let rows = 0;
  let largest = 0;
  const beganMs = performance.now();
  while (performance.now() - beganMs < durationMs) {
    const lines = Array.from({ length: 2000 }, (_, index) => sampleLine(rows + index, Date.now()));
    await sink.write(createBatch(Buffer.from(lines.join(''))));
    rows += lines.length;
    largest = Math.max(largest, fs.statSync(`${path}-wal`).size);
  }
  const ms = performance.now() - beganMs;
  await sink.close();
  printTable([{ rows, 'rows/s': formatRate(rows, ms), 'largest log': formatBytes(largest) }]);
}

function read(path: string): void {
  const reader = openLogReader(path);
  for (;;) reader.queryLogs({ text: 'no such text' });
}

const data = workerData as { path: string } | null;
if (isMainThread) {
  const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-bench-'));
  const path = join(folder, 'logs.db');
  const seconds = numberArgument('seconds', 30);
  printHeader(`the write-ahead log under two readers that never pause, ${seconds} s`);
  const { definition } = sqlite;
  await (
    await definition.open(await parseOptions(definition, { path }), {
      streamName: 's',
      report: () => undefined,
    })
  ).close();
  for (let count = 0; count < 2; count++) {
    const reader = new Worker(new URL(import.meta.url), { workerData: { path } });
    reader.on('error', (error) => console.error(error));
  }
  await write(path, seconds * 1000);
  fs.rmSync(folder, { recursive: true, force: true });
  process.exit();
} else if (data) read(data.path);

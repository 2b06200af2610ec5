import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createBatch, parseOptions } from '@treeline/contract';
import { archive, verifyArchive } from '@treeline/archive';
import sqlite, { openLogStore } from '@treeline/sqlite';
import { formatRate, numberArgument, percentile, printHeader, printTable } from './report.ts';
import { sampleLine } from './sample.ts';

/*
 * How many rows a second are archived with gzip 1, how large does the archiver get, and does a writer beside it notice? Archived is:
 * written, synced, read back, compared with the store and published; deleting comes after and is told apart, since it rests half of the
 * time for the writer. The archiver is a process of its own, as `treeline archive run`.
 */

const BATCH = 10_000;
const OLD_MS = Date.now() - 86_400_000 * 2;

async function fillStore(path: string, rows: number): Promise<void> {
  const sink = await sqlite.definition.open(await parseOptions(sqlite.definition, { path }), {
    streamName: 'store',
    report: (event) => console.error(event),
  });
  for (let from = 0; from < rows; from += BATCH) {
    const lines = Array.from({ length: Math.min(BATCH, rows - from) }, (_, index) =>
      sampleLine(from + index, OLD_MS + Math.floor((from + index) / 50), `service-${(from + index) % 8}`),
    );
    await sink.write(createBatch(Buffer.from(lines.join('')), { logId: 'bench', seq: from + 1 }));
  }
  await sink.close();
}

/** What the archiver's process tells of itself. */
interface Archived {
  readonly rows: number;
  readonly archiveMs: number;
  readonly deleteMs: number;
  readonly rssBytes: number;
  readonly bytes: number;
}

async function runArchiver(path: string, to: string): Promise<Archived> {
  const spent = { export: 0, compare: 0, delete: 0, reclaim: 0 };
  let lastMs = performance.now();
  const { segments } = await archive(
    path,
    { olderThan: '1d', to, gzipLevel: 1 },
    {
      onProgress({ step }) {
        const nowMs = performance.now();
        spent[step] += nowMs - lastMs;
        lastMs = nowMs;
      },
    },
  );
  return {
    rows: segments.reduce((sum, { rows }) => sum + rows, 0),
    archiveMs: spent.export + spent.compare,
    deleteMs: spent.delete + spent.reclaim,
    rssBytes: process.resourceUsage().maxRSS * 1024,
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Writes 5 000 rows a second in small transactions until it is told to stop; gives how long each took. */
async function writeBeside(path: string, isDone: () => boolean): Promise<number[]> {
  const store = openLogStore(path);
  const took: number[] = [];
  const everyMs = 10;
  for (let n = 0, dueMs = performance.now(); !isDone(); dueMs += everyMs) {
    const beganMs = performance.now();
    store.append(Array.from({ length: 50 }, () => ({ source: 'live', msg: `live ${n++}`, payload: { n } })));
    took.push(performance.now() - beganMs);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs + everyMs - performance.now())));
    // What was missed is not made up for all at once.
    if (performance.now() > dueMs + 1000) dueMs = performance.now();
  }
  store.close();
  return took;
}

async function measure(rows: number, withWriter: boolean): Promise<Record<string, string>> {
  const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-bench-'));
  const path = join(folder, 'logs.db');
  const to = join(folder, 'archive');
  await fillStore(path, rows);
  const child = spawn(process.execPath, [new URL(import.meta.url).pathname, '--child', path, to], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let done = false;
  const ended = Promise.all([text(child.stdout), once(child, 'close')]).finally(() => {
    done = true;
  });
  const took = withWriter ? await writeBeside(path, () => done) : [];
  const [output] = await ended;
  const told = JSON.parse(output) as Archived;
  const { ok } = await verifyArchive(to);
  fs.rmSync(folder, { recursive: true, force: true });
  return {
    writer: withWriter ? '5,000 rows/s' : 'none',
    rows: told.rows.toLocaleString('en'),
    'archived rows/s': formatRate(told.rows, told.archiveMs),
    'deleted rows/s': formatRate(told.rows, told.deleteMs),
    'whole rows/s': formatRate(told.rows, told.archiveMs + told.deleteMs),
    'MB on disk': (told.bytes / 1e6).toFixed(0),
    'peak RSS MB': (told.rssBytes / 1e6).toFixed(0),
    'writer p99 ms': took.length > 0 ? percentile(took, 99).toFixed(0) : '',
    'writer max ms': took.length > 0 ? Math.max(...took).toFixed(0) : '',
    verified: String(ok),
  };
}

const [mode, path, to] = process.argv.slice(2);
if (mode === '--child' && path !== undefined && to !== undefined) {
  console.log(JSON.stringify(await runArchiver(path, to)));
} else {
  const rows = numberArgument('rows', 500_000);
  printHeader(`archiving ${rows} rows with gzip 1`);
  printTable([await measure(rows, false), await measure(rows, true)]);
}

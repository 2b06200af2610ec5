import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { formatRate, median, numberArgument, printHeader, printTable } from './report.ts';

/*
 * What do rotation and compression cost a program, from info() to the last byte in the file? A process for each run, in turns; the clock
 * stops when flush() resolves. The logging thread's own processor time is told apart, and every line is counted in the files.
 */

const PROGRAM = fileURLToPath(new URL('../programs/logs-to-file.mjs', import.meta.url));

const CONTENDERS: Readonly<Record<string, object>> = {
  'no rotation': {},
  'rotation at 10 MB': { rotation: { size: '10M' } },
  'rotation, gzip': { rotation: { size: '10M' }, compress: 'gzip' },
  'rotation, brotli': { rotation: { size: '10M' }, compress: 'brotli' },
};

interface Run {
  readonly totalMs: number;
  readonly loopThreadMs: number;
  readonly cpuMs: number;
  readonly missing: number;
}

function run(options: object, lines: number): Run {
  const cwd = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-bench-'));
  const output = execFileSync(process.execPath, [PROGRAM, JSON.stringify(options), String(lines)], {
    cwd,
    encoding: 'utf8',
  });
  // The line that starts the pipeline is there too.
  const missing = lines + 1 - countLines(cwd);
  fs.rmSync(cwd, { recursive: true });
  return { ...(JSON.parse(output) as Omit<Run, 'missing'>), missing };
}

function countLines(folder: string): number {
  let count = 0;
  for (const name of fs.readdirSync(folder).filter((each) => each.startsWith('app.log'))) {
    const bytes = decompressed(fs.readFileSync(path.join(folder, name)), name);
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count++;
  }
  return count;
}

function decompressed(bytes: Buffer, name: string): Buffer {
  if (name.endsWith('.gz')) return zlib.gunzipSync(bytes);
  return name.endsWith('.br') ? zlib.brotliDecompressSync(bytes) : bytes;
}

const lines = numberArgument('lines', 1_000_000);
const rounds = numberArgument('rounds', 3);
printHeader(`${lines} records from info() to the last byte, ${rounds} rounds`);
const results = new Map<string, Run[]>(Object.keys(CONTENDERS).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, runs] of results) runs.push(run(CONTENDERS[name] ?? {}, lines));
}
const perLine = (ms: number): string => ((ms * 1000) / lines).toFixed(2);
printTable(
  [...results].map(([name, runs]) => ({
    'file stream': name,
    'lines/s': formatRate(lines, median(runs.map(({ totalMs }) => totalMs))),
    'best round': formatRate(lines, Math.min(...runs.map(({ totalMs }) => totalMs))),
    'logging thread, µs a line': perLine(median(runs.map(({ loopThreadMs }) => loopThreadMs))),
    'all threads, CPU µs a line': perLine(median(runs.map(({ cpuMs }) => cpuMs))),
    'lines missing': Math.max(...runs.map(({ missing }) => missing)),
  })),
);

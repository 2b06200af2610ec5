// What does a log call cost the main thread? Its CPU alone, as the kernel counts it, in ticks of some lines: the price that a program
// pays. Honest: each contender is a process of its own, they take turns, and all write the same lines into files.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, numberArgument, printHeader, printTable } from './report.ts';

const CONTENDERS: readonly (readonly [name: string, streams: number])[] = [
  ['pino, worker', 1],
  ['pino, synchronous', 1],
  ['treeline', 1],
  ['treeline', 4],
  ['treeline, durability process', 1],
];
const PROGRAM = fileURLToPath(new URL('../programs/calls.mjs', import.meta.url));

async function run(contender: string, streams: number): Promise<number> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-bench-'));
  const child = spawn(
    process.execPath,
    [PROGRAM, contender, String(lines), String(perTick), folder, String(streams)],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
  await once(child, 'close');
  fs.rmSync(folder, { recursive: true });
  const { cpuNs } = JSON.parse(told.trimEnd().split('\n').at(-1) ?? '{}') as { cpuNs: number };
  return cpuNs / lines / 1000;
}

const lines = numberArgument('lines', 200_000);
const perTick = numberArgument('per-tick', 30);
const rounds = numberArgument('rounds', 5);
printHeader('What does a log call cost the main thread?');
const results = CONTENDERS.map(() => [] as number[]);
for (let round = 0; round < rounds; round++) {
  for (const [index, [contender, streams]] of CONTENDERS.entries())
    results[index]?.push(await run(contender, streams));
}
const [first = []] = results;
printTable(
  CONTENDERS.map(([contender, streams], index) => ({
    [`${perTick} lines a tick`]: `${contender}, ${streams} stream${streams === 1 ? '' : 's'}`,
    'CPU, µs a call': median(results[index] ?? []).toFixed(2),
    'of pino’s worker': (median(results[index] ?? []) / median(first)).toFixed(2),
  })),
);

// How long does a burst take until all of it is in files, what does the loop itself take, and how large does the process get?
// Honest: each contender is a process of its own, they take turns, every line is counted in the files, and the clock stops when the
// process is about to end, with its transports drained.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatRate, median, numberArgument, printHeader, printTable } from './report.ts';

const CONTENDERS = ['treeline', 'treeline, durability process', 'pino, synchronous', 'pino, worker'];
const PROGRAM = fileURLToPath(new URL('../programs/burst.mjs', import.meta.url));

interface Burst {
  readonly loopMs: number;
  readonly totalMs: number;
  readonly peakMb: number;
  readonly lost: number;
}

async function run(contender: string, lines: number, streams: number): Promise<Burst> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-bench-'));
  const child = spawn(process.execPath, [PROGRAM, contender, String(lines), folder, String(streams)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let peakMb = 0;
  const timer = setInterval(() => {
    peakMb = Math.max(peakMb, peakOf(child.pid ?? 0));
  }, 5);
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
  await once(child, 'close');
  clearInterval(timer);
  let lost = 0;
  for (let index = 0; index < streams; index++)
    lost += lines - countLines(path.join(folder, `out-${index}.log`));
  fs.rmSync(folder, { recursive: true });
  const report = JSON.parse(told.trimEnd().split('\n').at(-1) ?? '{}') as { loopMs: number; totalMs: number };
  return { ...report, peakMb, lost };
}

function peakOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

function countLines(file: string): number {
  let count = 0;
  const bytes = fs.readFileSync(file);
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}

const lines = numberArgument('lines', 1_000_000);
const rounds = numberArgument('rounds', 3);
printHeader('How long until a burst is in files?');
for (const streams of [1, 3]) {
  const results = new Map<string, Burst[]>();
  for (let round = 0; round < rounds; round++) {
    for (const contender of CONTENDERS) {
      if (streams > 1 && contender === 'pino, synchronous') continue;
      const bursts = results.get(contender) ?? [];
      bursts.push(await run(contender, lines, streams));
      results.set(contender, bursts);
    }
  }
  printTable(
    [...results].map(([contender, bursts]) => ({
      [`${lines.toLocaleString('en')} lines into ${streams}`]: contender,
      'lines/s': formatRate(lines, median(bursts.map(({ totalMs }) => totalMs))),
      'loop, µs a line': ((median(bursts.map(({ loopMs }) => loopMs)) * 1000) / lines).toFixed(2),
      'peak RSS MB': Math.round(median(bursts.map(({ peakMb }) => peakMb))),
      lost: bursts.reduce((sum, { lost }) => sum + lost, 0),
    })),
  );
}

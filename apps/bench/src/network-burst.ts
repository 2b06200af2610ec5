// How long does a burst take until all of it has reached a server on this machine, what does the loop itself take, and what is lost?
// Honest: the server is a process of its own that keeps bodies and counts different records only afterwards; each contender is a process of
// its own, they take turns, and the clock stops when the process is about to end, with its transports drained.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatRate, median, numberArgument, printHeader, printTable } from './report.ts';

/** Each beside the bare loop that it is measured against. */
const CONTENDERS = {
  'undici, ready bytes': 'undici, ready bytes',
  'our sink, ready bytes': 'undici, ready bytes',
  'pino and an undici loop': 'pino and an undici loop',
  treeline: 'pino and an undici loop',
  'treeline, gzip': 'pino and an undici loop',
  'treeline, elasticsearch': 'pino and an undici loop',
  'pino, our target': 'pino and an undici loop',
  'pino-loki': 'pino and an undici loop',
  'pino-elasticsearch': 'pino and an undici loop',
  'pino-opentelemetry-transport': 'pino and an undici loop',
} as const;

type Contender = keyof typeof CONTENDERS;

const PROGRAM = fileURLToPath(new URL('../programs/network-burst.mjs', import.meta.url));
const SERVER = fileURLToPath(new URL('../programs/counting-server.mjs', import.meta.url));

interface Burst {
  readonly loopMs: number;
  readonly totalMs: number;
  readonly lost: number;
  readonly twice: number;
}

async function run(contender: Contender, lines: number, url: string): Promise<Burst> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-bench-'));
  const child = spawn(process.execPath, [PROGRAM, contender, String(lines), url, folder], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
  await once(child, 'close');
  fs.rmSync(folder, { recursive: true });
  const { different, twice } = (await (await fetch(`${url}/taken`)).json()) as {
    different: number;
    twice: number;
  };
  // A transport may tell something on stderr, too.
  const report = told.split('\n').findLast((line) => line.startsWith('{"loopMs"'));
  if (report === undefined) throw new Error(`${contender}: ${told}`);
  return { ...(JSON.parse(report) as Pick<Burst, 'loopMs' | 'totalMs'>), lost: lines - different, twice };
}

const lines = numberArgument('lines', 100_000);
const rounds = numberArgument('rounds', 3);
const server = spawn(process.execPath, [SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
const [port] = (await once(server.stdout, 'data')) as [Buffer];
const url = `http://127.0.0.1:${port.toString().trim()}`;
printHeader('How long until a burst has reached a server?');
const results = new Map<Contender, Burst[]>();
for (let round = 0; round < rounds; round++) {
  for (const contender of Object.keys(CONTENDERS) as Contender[]) {
    const bursts = results.get(contender) ?? [];
    bursts.push(await run(contender, lines, url));
    results.set(contender, bursts);
  }
}
server.kill();
const totalMs = (contender: Contender): number =>
  median((results.get(contender) ?? []).map((each) => each.totalMs));
printTable(
  [...results].map(([contender, bursts]) => ({
    [`${lines.toLocaleString('en')} records`]: contender,
    'records/s': formatRate(lines, totalMs(contender)),
    'of the bare loop': (totalMs(CONTENDERS[contender]) / totalMs(contender)).toFixed(2),
    'loop, µs a record': ((median(bursts.map(({ loopMs }) => loopMs)) * 1000) / lines).toFixed(2),
    lost: bursts.map(({ lost }) => lost).join(', '),
    twice: bursts.map(({ twice }) => twice).join(', '),
  })),
);

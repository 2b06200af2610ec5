import { existsSync } from 'node:fs';
import { startService, type ChildService } from './child-service.ts';
import type { Collected } from './collector.ts';
import { describeFiles, summarise } from './summary.ts';
import { archiveYesterday, makeUpYesterday } from './yesterday.ts';
import { sendTraffic, type Outcome } from './traffic.ts';

const ROUNDS = 3;
const INTERVAL_MS = 120;

/** Where config/logging-config.json puts the log, from the working directory. */
const STORE = 'data/logs.db';
const ARCHIVE = 'data/archive';
const COLLECTED = 'logs/collected.log';
const FILES = ['logs/gateway.log', 'logs/error.log', COLLECTED, STORE];

const NEXT = [
  ['npx treeline query --level error', 'the errors again, newest last'],
  ['npx treeline query --source chat --limit 5 -o jsonl', 'records as they were logged'],
  ['npx treeline query --type request --since 10m', 'the requests of the last ten minutes'],
  ['npx treeline query --until today --limit 3', 'yesterday, from the archive'],
  ['npx treeline archive verify data/archive', 'proves every row of it'],
  ['tail -n 3 logs/gateway.log', 'the same lines in a file that rotates'],
] as const;

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Interruption = keyof typeof EXIT_CODES;

/**
 * The main job: a model backend, a log collector and a gateway as processes of their own, real requests to them, their log as it flows,
 * and what can be read back from it. Resolves to the exit code.
 */
export async function runDemo(): Promise<number> {
  const interruption = listenForInterruption();
  try {
    return await demonstrate(interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    return interrupted(interruption.signal);
  } finally {
    interruption.stop();
  }
}

async function demonstrate(signal: AbortSignal): Promise<number> {
  const startedAt = Date.now();
  makeUpYesterday(STORE, startedAt);
  const services: ChildService[] = [];
  let outcomes: ReadonlyMap<Outcome, number>;
  let collected: Collected | undefined;
  let allEndedWell = true;
  try {
    const backend = await startService('backend', './backend-process.js');
    services.unshift(backend);
    tell(`backend  ${backend.url}  a local model server, told to be slow and to fail`);
    const collector = await startService('collector', './collector-process.js', ['--file', COLLECTED]);
    services.unshift(collector);
    tell(`collector  ${collector.url}  a local log collector, which the gateway ships its log to`);
    const gateway = await startService('gateway', './gateway-process.js', ['--backend', backend.url], {
      SHIP_LOGS: 'true',
      COLLECTOR_URL: `${collector.url}/logs`,
    });
    services.unshift(gateway);
    tell(`gateway  ${gateway.url}  sends it chat requests and streams the answers back; this is its log:\n`);
    outcomes = await sendTraffic({ url: gateway.url, rounds: ROUNDS, intervalMs: INTERVAL_MS, signal });
    // What it still has to deliver, it delivers as it ends.
    services.shift();
    allEndedWell = await gateway.stop();
    collected = await askCollector(collector.url);
  } finally {
    // The gateway first: it still has answers of the backend under way, and lines for the collector.
    for (const service of services) allEndedWell = (await service.stop()) && allEndedWell;
  }
  if (signal.aborted) return interrupted(signal);
  return (await report(startedAt, outcomes, collected)) && allEndedWell ? 0 : 1;
}

/** Tells what has happened; false where the log is not there, or nothing was answered. */
async function report(
  startedAt: number,
  outcomes: ReadonlyMap<Outcome, number>,
  collected: Collected | undefined,
): Promise<boolean> {
  const total = [...outcomes.values()].reduce((sum, count) => sum + count, 0);
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  const parts = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
  tell(`\n${total} requests in ${seconds} s: ${parts}`);
  if (!existsSync(STORE)) {
    process.stderr.write(`${STORE} is missing: the gateway's log did not reach its store\n`);
    return false;
  }
  tell(`\nread back from ${STORE}\n${summarise(STORE, startedAt)}`);
  tell(`\nshipped to the collector\n  ${describeCollected(collected)}`);
  tell(`\narchived to ${ARCHIVE}\n${await archiveYesterday(STORE, ARCHIVE, startedAt)}`);
  tell(`\nfiles\n${describeFiles(FILES)}`);
  const width = Math.max(...NEXT.map(([command]) => command.length));
  tell(`\nnext\n${NEXT.map(([command, meaning]) => `  ${command.padEnd(width)}  ${meaning}`).join('\n')}`);
  return outcomes.has('answered') && (collected?.records ?? 0) > 0;
}

async function askCollector(url: string): Promise<Collected> {
  return (await (await fetch(url)).json()) as Collected;
}

function describeCollected({ records, levels }: Collected = { records: 0, levels: {} }): string {
  const byLevel = Object.entries(levels).map(([level, count]) => `${level} ${count}`);
  return `${records} records: ${byLevel.join(', ')}`;
}

function interrupted(signal: AbortSignal): number {
  const name = signal.reason as Interruption;
  tell(`\nstopped by ${name}: gateway and backend have ended, what was logged is kept`);
  return EXIT_CODES[name];
}

function listenForInterruption(): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const listener = (name: Interruption): void => controller.abort(name);
  const names = Object.keys(EXIT_CODES) as Interruption[];
  for (const name of names) process.on(name, listener);
  return {
    signal: controller.signal,
    stop: () => {
      for (const name of names) process.off(name, listener);
    },
  };
}

function tell(text: string): void {
  process.stdout.write(`${text}\n`);
}

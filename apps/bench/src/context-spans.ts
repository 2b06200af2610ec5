// What does a span cost, and a log call inside one, and `await`?
// Honest: processor time of the main thread, whole log calls with their serialisation into a destination that throws lines away, so
// that no worker's time is counted; the cases take turns within one process, and the median of the rounds counts.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { TreelineLogger } from '@treeline/core';
import { pino } from 'pino';
import { median, numberArgument, printHeader, printTable } from './report.ts';
import { createSilentLogger } from './throwing-away.ts';

interface Case {
  readonly name: string;
  /** Runs so often, and gives the microseconds of one. */
  readonly run: (count: number) => number | Promise<number>;
}

function cpuUs(count: number, step: (index: number) => void): number {
  const before = process.cpuUsage();
  for (let index = 0; index < count; index++) step(index);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

async function cpuUsOfAwaits(count: number): Promise<number> {
  const before = process.cpuUsage();
  for (let index = 0; index < count; index++) await Promise.resolve();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

/** Two lines with ids put in by hand: what a span would cost at least. */
function byHand(logger: TreelineLogger, n: number): void {
  const ids = { a_trace_id: '4bf92f3577b34da6a3ce929d0e0e4736', a_span_id: '00f067aa0ba902b7', n };
  const startMs = performance.now();
  logger.info(ids, 'open');
  logger.info({ ...ids, duration_ms: performance.now() - startMs, status: 'ok' }, 'close');
}

const count = numberArgument('count', 100_000);
const rounds = numberArgument('rounds', 7);
const plain = pino({ base: { pid: process.pid, hostname: 'h' } }, { write: () => undefined });

printHeader('What does a span cost?');
const { logger: silent } = createSilentLogger();
const { logger: fresh } = createSilentLogger();
const { logger: quiet } = createSilentLogger();
silent.span('first', () => undefined);
const bare = new AsyncLocalStorage<object>();
const cases: Case[] = [
  { name: 'pino: one log call', run: () => cpuUs(count, (n) => plain.info({ n }, 'one')) },
  { name: 'one log call, no span yet', run: () => cpuUs(count, (n) => fresh.info({ n }, 'one')) },
  { name: 'one log call outside', run: () => cpuUs(count, (n) => silent.info({ n }, 'one')) },
  {
    name: 'one log call inside a span',
    run: () => silent.span('outer', () => cpuUs(count, (n) => silent.info({ n }, 'one'))),
  },
  {
    name: 'two log calls outside',
    run: () =>
      cpuUs(count, (n) => {
        silent.info({ n }, 'open');
        silent.info({ n }, 'close');
      }),
  },
  {
    name: 'two log calls with ids and a duration by hand',
    run: () => cpuUs(count, (n) => byHand(silent, n)),
  },
  { name: 'a span', run: () => cpuUs(count, (n) => silent.span('work', { n }, () => undefined)) },
  {
    name: 'a span below the threshold',
    run: () => cpuUs(count, (n) => quiet.span('work', { n }, { level: 'debug' }, () => undefined)),
  },
  { name: 'await, no context', run: () => cpuUsOfAwaits(count) },
  { name: 'await inside one bare AsyncLocalStorage', run: () => bare.run({}, () => cpuUsOfAwaits(count)) },
  { name: 'await inside a span', run: () => silent.span('awaits', () => cpuUsOfAwaits(count)) },
];
const results = new Map(cases.map(({ name }) => [name, [] as number[]]));
for (let round = 0; round < rounds; round++)
  for (const { name, run } of cases) results.get(name)?.push(await run(count));
const of = (name: string): number => median(results.get(name) ?? []);
printTable([...results].map(([name]) => ({ case: name, 'µs of CPU': of(name).toFixed(2) })));
const above = (name: string, base: string): string => (of(name) - of(base)).toFixed(2);
printTable([
  { difference: 'a span above two log calls', µs: above('a span', 'two log calls outside'), limit: 6 },
  {
    difference: 'a log call inside above one outside',
    µs: above('one log call inside a span', 'one log call outside'),
    limit: 0.6,
  },
  {
    difference: 'await inside a span above one bare AsyncLocalStorage',
    µs: above('await inside a span', 'await inside one bare AsyncLocalStorage'),
    limit: 0,
  },
  {
    difference: 'a log call above pino’s, no span yet',
    µs: above('one log call, no span yet', 'pino: one log call'),
    limit: '',
  },
]);

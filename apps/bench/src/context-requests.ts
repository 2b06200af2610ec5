// What does request tracking add to a request through Fastify, and does it leave anything on the heap?
// Honest: real connections, kept alive; the servers are processes of their own, and only their processor time counts; with and without
// tracking take turns. Their lines are thrown away, serialised. The heap is read after a collection.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { median, numberArgument, printHeader, printTable } from './report.ts';

const PROGRAM = fileURLToPath(new URL('../programs/tracked-server.mjs', import.meta.url));

const count = numberArgument('count', 10_000);
const rounds = numberArgument('rounds', 7);
const heapRequests = numberArgument('heap', 100_000);
const CONNECTIONS = 8;

interface Usage {
  readonly cpuUs: number;
  readonly heapBytes: number;
  readonly lines: number;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });

async function startServer(how: string): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(PROGRAM, [how], { execArgv: ['--expose-gc'] });
  const [port] = (await once(child, 'message')) as [number];
  return { child, port };
}

async function get(port: number, path: string): Promise<string> {
  const request = http.get({ port, path, host: '127.0.0.1', agent });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
  return body;
}

async function send(port: number, requests: number): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (next < requests) await get(port, `/users/${next++}`);
    }),
  );
}

const usageOf = async (port: number): Promise<Usage> => JSON.parse(await get(port, '/usage')) as Usage;

async function cpuUsOfRequests(port: number): Promise<number> {
  const before = await usageOf(port);
  await send(port, count);
  return ((await usageOf(port)).cpuUs - before.cpuUs) / count;
}

printHeader('What does tracking add to a request?');
const plain = await startServer('plain');
const tracked = await startServer('tracked');
for (const { port } of [plain, tracked]) await send(port, count);
const results = { plain: [] as number[], tracked: [] as number[] };
for (let round = 0; round < rounds; round++) {
  results.plain.push(await cpuUsOfRequests(plain.port));
  results.tracked.push(await cpuUsOfRequests(tracked.port));
}
const [without, withTracking] = [median(results.plain), median(results.tracked)];
printTable([
  { 'a request through Fastify': 'without tracking', 'µs of CPU': without.toFixed(1) },
  { 'a request through Fastify': 'with tracking, two lines each', 'µs of CPU': withTracking.toFixed(1) },
  { 'a request through Fastify': 'tracking (at most 15)', 'µs of CPU': (withTracking - without).toFixed(1) },
]);

const before = await usageOf(tracked.port);
await send(tracked.port, heapRequests);
const after = await usageOf(tracked.port);
printTable([
  {
    'tracked requests': heapRequests,
    lines: after.lines - before.lines,
    'heap grew by, KB': Math.round((after.heapBytes - before.heapBytes) / 1024),
  },
]);
agent.destroy();
for (const { child } of [plain, tracked]) child.disconnect();

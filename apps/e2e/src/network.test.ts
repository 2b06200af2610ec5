import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoggerStats } from '@treeline/core';
import { listDeadLetters, readDeadLetters } from '@treeline/spool';
import { describe, expect, test, vi } from 'vitest';
import { startTreeline, treeline } from './command.ts';
import {
  count,
  filesBelow,
  numbersIn,
  programFile,
  readRecords,
  runProgram,
  scratchFolder,
} from './program.ts';

interface Request {
  readonly url: string;
  readonly bytes: number;
  readonly mode: string;
}

interface Collector extends AsyncDisposable {
  readonly url: string;
  setMode(mode: string): Promise<void>;
  requests(): Promise<readonly Request[]>;
  /** The records that it has taken, repeats included, in order. */
  taken(): ReturnType<typeof readRecords>;
  kill(): Promise<void>;
}

async function startCollector(folder: string, port = 0): Promise<Collector> {
  mkdirSync(folder, { recursive: true });
  const child = spawn(process.execPath, [programFile('collector.mjs'), folder, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const origin = `http://127.0.0.1:${said.toString().trim()}`;
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  };
  return {
    url: `${origin}/logs`,
    kill,
    async setMode(mode) {
      const { status } = await fetch(`${origin}/mode`, { method: 'PUT', body: mode });
      expect(status).toBe(204);
    },
    async requests() {
      return (await (await fetch(`${origin}/requests`)).json()) as Request[];
    },
    taken: () => readRecords(join(folder, 'taken.ndjson')),
    [Symbol.asyncDispose]: kill,
  };
}

interface Told {
  readonly flushed: { readonly ok: boolean };
  readonly stats: LoggerStats;
}

/** A program that logs when it is told to. */
interface Sender extends AsyncDisposable {
  log(records: number, flushTimeoutMs?: number): Promise<Told>;
  readonly stderr: () => string;
}

function startSender(config: object, cwd: string): Sender {
  const child: ChildProcess = spawn(
    process.execPath,
    [programFile('logs-on-command.mjs'), JSON.stringify(config)],
    {
      cwd,
      env: { PATH: process.env['PATH'] },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  if (!child.stdout) throw new Error('there is no output to read');
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    stderr: () => stderr,
    async log(records, flushTimeoutMs = 30_000) {
      child.stdin?.write(`${records} ${flushTimeoutMs}\n`);
      const { value } = (await answers.next()) as { value?: string };
      return JSON.parse(value ?? `"${stderr}"`) as Told;
    },
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      if (child.exitCode === null) await once(child, 'close');
    },
  };
}

/** Short waits: a test must not wait out what a person would. */
const SOON = { retry: { minMs: 20, maxMs: 200, holdMs: 200 }, timeout: '2s', batch: { maxDelayMs: 10 } };

function configFor(url: string, options: object = {}): object {
  return {
    serviceName: 'sender',
    durability: 'process',
    streams: [{ name: 'net', type: 'network', url, method: 'POST', idField: 'log_id', ...SOON, ...options }],
  };
}

function expectBalance({ stats }: Told): void {
  for (const stream of Object.values(stats.streams)) {
    const dropped = Object.values(stream.dropped).reduce((sum, each) => sum + each, 0);
    expect(stream.accepted + stream.adopted).toBe(
      stream.delivered + dropped + stream.deadLettered + stream.queued,
    );
  }
}

/** Repeats are allowed, under the same id; order is that of the first time. */
function expectOnceEach(records: ReturnType<typeof readRecords>): number[] {
  const numbers = new Map<unknown, number>();
  for (const record of records) {
    const [n] = numbersIn([record]);
    if (n === undefined) continue;
    expect(numbers.get(record['log_id']) ?? n).toBe(n);
    numbers.set(record['log_id'], n);
  }
  const seen = [...numbers.values()];
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  return seen;
}

describe('a collector that', () => {
  test.each([
    ['200 with an error', /it answered 200: \{"error":"the disk is full"\}/],
    ['200 with a page', /it answered 200: <html>sign in<\/html>/],
    ['closes early', /other side closed|ECONNRESET/],
    ['taken, and cut off', /other side closed|ECONNRESET/],
    ['breaks off', /other side closed|ECONNRESET|aborted|terminated/],
    ['never answers', /did not answer within 2000 ms/],
    ['refuses 10 MB', /it answered 500: xxx/],
    ['wants to be left alone', /it answered 429/],
    ['wants a password', /it answered 401 \(kept/],
    ['redirects', /it answered 307 \(kept/],
    ['is down', /it answered 503: down for maintenance/],
  ])('%s, loses nothing, and is told of once', async (mode, told) => {
    using folder = scratchFolder();
    await using collector = await startCollector(folder.path);
    await using sender = startSender(configFor(collector.url), folder.path);
    await collector.setMode(mode);
    const during = await sender.log(50, 300);
    expectBalance(during);
    expect(during.flushed.ok).toBe(false);
    await vi.waitFor(() => expect(sender.stderr()).toMatch(told), { timeout: 20_000 });
    await collector.setMode('ok');
    const after = await sender.log(50);
    expect(after.flushed.ok, sender.stderr()).toBe(true);
    expectBalance(after);
    expect(after.stats.streams['net']).toMatchObject({
      accepted: 100,
      delivered: 100,
      queued: 0,
      state: 'up',
    });
    expect(expectOnceEach(collector.taken())).toEqual(count(0, 100));
    expect((await collector.requests()).map(({ url }) => url)).not.toContain('/elsewhere');
    // A connection may be lost in two ways; each is told once, however often it is tried.
    expect(sender.stderr().match(/net: down/g)?.length).toBeLessThanOrEqual(2);
  });

  test('answers 10 MB has what it took, and is told of', async () => {
    using folder = scratchFolder();
    await using collector = await startCollector(folder.path);
    await using sender = startSender(configFor(collector.url), folder.path);
    await collector.setMode('answers 10 MB');
    expect((await sender.log(50)).flushed.ok).toBe(true);
    expect(numbersIn(collector.taken())).toEqual(count(0, 50));
    await vi.waitFor(() => expect(sender.stderr()).toContain('it answers more than is read'));
  });

  test('takes little at once gets it in pieces', async () => {
    using folder = scratchFolder();
    await using collector = await startCollector(folder.path);
    await using sender = startSender(configFor(collector.url), folder.path);
    await collector.setMode('takes 4 KB at most');
    expectBalance(await sender.log(200));
    expect(numbersIn(collector.taken())).toEqual(count(0, 200));
  });

  test('refuses a record gets all others, and the refused one is a dead letter that can be sent again', async () => {
    using folder = scratchFolder();
    await using collector = await startCollector(folder.path);
    await using sender = startSender(configFor(collector.url), folder.path);
    await collector.setMode('refuses a record');
    const told = await sender.log(100);
    expectBalance(told);
    expect(told.stats.streams['net']).toMatchObject({ delivered: 99, deadLettered: 1, queued: 0 });
    expect(numbersIn(collector.taken())).toEqual(count(0, 100).filter((n) => n !== 7));
    await vi.waitFor(() => expect(sender.stderr()).toContain('n must not be 7'));
    const letters = listDeadLetters(join(folder.path, 'logs/.treeline')).flatMap(
      ({ path }) => readDeadLetters(path).letters,
    );
    expect(letters.map(({ line }) => (JSON.parse(line.toString()) as { n: number }).n)).toEqual([7]);
    expect(letters[0]?.reason).toBe(`${collector.url}: it answered 400: n must not be 7`);

    await collector.setMode('ok');
    writeFileSync(join(folder.path, 'c.json'), JSON.stringify(configFor(collector.url)));
    const replayed = await treeline(['spool', 'replay', '-c', 'c.json'], { cwd: folder.path });
    expect(replayed, replayed.stderr).toMatchObject({ code: 0 });
    expect(numbersIn(collector.taken()).at(-1)).toBe(7);
    expect(
      listDeadLetters(join(folder.path, 'logs/.treeline')).flatMap(
        ({ path }) => readDeadLetters(path).letters,
      ),
    ).toEqual([]);
  });
});

describe('with durability "process"', () => {
  test('5 s of outage under 2 000 records a second with a SIGKILL of the sender within lose no record whose call had returned', async () => {
    using folder = scratchFolder();
    const collectorFolder = join(folder.path, 'collector');
    const before = await startCollector(collectorFolder);
    const port = Number(new URL(before.url).port);
    const config = JSON.stringify(configFor(before.url));
    let killed: Promise<void> | undefined;
    const first = await runProgram('logs-at-a-rate.mjs', [config, '0', '60000'], {
      cwd: folder.path,
      started(pid) {
        killed = (async () => {
          await vi.waitFor(() => expect(existsSync(join(collectorFolder, 'taken.ndjson'))).toBe(true), {
            timeout: 20_000,
          });
          await before.kill();
          await sleep(2_500);
          process.kill(pid, 'SIGKILL');
        })();
      },
    });
    await killed;
    expect(first.signal, first.stderr).toBe('SIGKILL');
    const lastReturned = Number(first.stdout.trimEnd().split('\n').at(-1));
    expect(lastReturned).toBeGreaterThan(1_000);

    // The second one starts while the collector is still down.
    const back = sleep(2_500).then(() => startCollector(collectorFolder, port));
    const second = await runProgram('logs-at-a-rate.mjs', [config, '1000000', '4000'], { cwd: folder.path });
    await using collector = await back;
    expect(second.code, second.stderr).toBe(0);
    const lastOfSecond = Number(second.stdout.trimEnd().split('\n').at(-1));
    const drained = await runProgram('drains.mjs', [config], { cwd: folder.path });
    expectBalance(JSON.parse(drained.stdout) as Told);

    const arrived = new Set(numbersIn(collector.taken()));
    expect(count(0, lastReturned + 1).filter((n) => !arrived.has(n))).toEqual([]);
    expect(count(1_000_000, lastOfSecond + 1).filter((n) => !arrived.has(n))).toEqual([]);
    expectOnceEach(collector.taken());
  });
});

test('what does not fit during an outage is dropped, the least important first, counted, and told to the collector when it is back', async () => {
  using folder = scratchFolder();
  await using collector = await startCollector(folder.path);
  const queue = { maxBytes: '64K', whenFull: 'drop-by-level' };
  await using sender = startSender(configFor(collector.url, { queue }), folder.path);
  await collector.setMode('is down');
  const during = await sender.log(5_000, 300);
  expectBalance(during);
  const dropped = during.stats.streams['net']?.dropped['queue-full'] ?? 0;
  expect(dropped).toBeGreaterThan(1_000);
  await collector.setMode('ok');
  const after = await sender.log(1);
  expectBalance(after);
  expect(after.stats.streams['net']).toMatchObject({ queued: 0, dropped: { 'queue-full': dropped } });
  const told = collector.taken().filter((record) => numbersIn([record]).length === 0);
  expect(told.map(({ msg }) => msg)).toEqual([expect.stringContaining(String(dropped))]);
});

test('credentials are in no message, no statistic and no file name', async () => {
  using folder = scratchFolder();
  await using collector = await startCollector(folder.path);
  const secret = 'hunter22hunter22';
  await using sender = startSender(
    configFor(`${collector.url}?token=${secret}`, { headers: { authorization: `Bearer ${secret}` } }),
    folder.path,
  );
  await collector.setMode('wants a password');
  const told = await sender.log(5, 300);
  await vi.waitFor(() => expect(sender.stderr()).toContain('it answered 401'), { timeout: 20_000 });
  expect(JSON.stringify(told) + sender.stderr() + filesBelow(folder.path).join()).not.toContain(secret);
  await collector.setMode('ok');
  expect((await sender.log(5)).flushed.ok).toBe(true);
});

test('as a pino target it delivers a burst before the process ends', async () => {
  using folder = scratchFolder();
  await using collector = await startCollector(folder.path);
  const options = { url: collector.url, compress: 'none' };
  const ended = await runProgram('logs-to-network.mjs', [JSON.stringify(options), '20000'], {
    cwd: folder.path,
  });
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stderr).toBe('');
  expect(numbersIn(collector.taken())).toEqual(count(0, 20_000));
});

test('treeline spool replay sends a dead letter under the id that it was first sent under, each time, and tells of an interrupt', async () => {
  using folder = scratchFolder();
  const { path: cwd } = folder;
  await using collector = await startCollector(join(cwd, 'collector'));
  const stream = { type: 'network', url: collector.url, idField: 'log_id', retry: { maxMs: 50, minMs: 5 } };
  const config = { serviceName: 'again', streams: [{ name: 'net', ...stream }] };
  writeFileSync(join(cwd, 'config.json'), JSON.stringify(config));
  await collector.setMode('refuses a record');
  const input = [6, 7, 8].map((n) => `{"level":30,"n":${n},"msg":"one"}\n`).join('');
  await treeline(['run', '-c', 'config.json'], { cwd, input });
  const files = listDeadLetters(join(cwd, 'logs/.treeline'));
  const letters = files.flatMap(({ path }) => readDeadLetters(path).letters);
  expect(letters).toHaveLength(1);
  const [letter] = letters;

  const seen = (): unknown[] =>
    collector
      .taken()
      .filter(({ n }) => n === 7)
      .map((record) => record['log_id']);
  await collector.setMode('taken, and cut off');
  const replay = ['spool', 'replay', '-c', 'config.json'];
  const left = await treeline([...replay, '--timeout', '500ms'], { cwd });
  expect(left.stderr).toContain('1 kept: the destination took nothing for 500ms');
  const first = seen().length;
  expect(first).toBeGreaterThan(0);
  await collector.setMode('never answers');
  const child = startTreeline(replay, { cwd });
  let told = '';
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
  await vi.waitFor(
    async () => expect((await collector.requests()).at(-1)?.mode).toBe('never answers'),
    20_000,
  );
  child.kill('SIGINT');
  await once(child, 'close');
  expect(told).toContain('1 kept: the replay was interrupted');
  await collector.setMode('ok');
  expect(await treeline(replay, { cwd })).toMatchObject({ code: 0 });
  expect(seen()).toHaveLength(first + 1);
  expect(new Set(seen())).toEqual(new Set([`${letter?.logId}-${letter?.seq}`]));
});

import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigStats, FlushResult, LoggerStats, StreamStats } from '@treeline/core';
import { openLogStore } from '@treeline/sqlite';
import { expect, test } from 'vitest';
import { TREELINE } from './command.ts';
import { count, numbersIn, programFile, readRecords, runProgram, scratchFolder } from './program.ts';

const SWAPS = 20;
const WAIT_MS = 60_000;

interface Report {
  readonly type: 'stats' | 'end';
  readonly n: number;
  readonly closed?: FlushResult;
  readonly stats: LoggerStats & { readonly config: ConfigStats };
}

interface Program {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  stats(): Promise<Report['stats']>;
  /** Polls the stats until they are as they should be. */
  until(reached: (stats: Report['stats']) => boolean, what: string): Promise<Report['stats']>;
  end(): Promise<Report>;
}

function start(folder: string, config: string, perSecond: number): Program {
  const child = fork(programFile('logs-while-reloading.mjs'), [config, String(perSecond)], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ask = async (question: string, type: Report['type']): Promise<Report> => {
    child.send(question);
    for (;;) {
      const [message] = (await once(child, 'message', { signal: AbortSignal.timeout(WAIT_MS) })) as [Report];
      if (message.type === type) return message;
    }
  };
  const stats = async (): Promise<Report['stats']> => (await ask('stats', 'stats')).stats;
  return {
    child,
    stderr: () => stderr,
    stats,
    async until(reached, what) {
      const startMs = performance.now();
      for (;;) {
        const seen = await stats();
        if (reached(seen)) return seen;
        if (performance.now() - startMs > WAIT_MS)
          throw new Error(`${what} did not happen: ${JSON.stringify(seen.config)}\n${stderr}`);
        await sleep(50);
      }
    },
    end: () => ask('end', 'end'),
  };
}

function isBalanced({ accepted, adopted, delivered, dropped, deadLettered, queued }: StreamStats): boolean {
  const drops = Object.values(dropped).reduce((sum, n) => sum + n, 0);
  return accepted + adopted === delivered + drops + deadLettered + queued;
}

/** The records of a file and of those that it was rotated to. */
function allRecords(folder: string, name: string): number[] {
  const files = fs.readdirSync(folder).filter((file) => file.startsWith(name));
  return files.flatMap((file) => numbersIn(readRecords(join(folder, file)))).toSorted((a, b) => a - b);
}

/** What the kubelet does: a new folder of its own, then the link that everything goes through is exchanged in one step. */
function swapConfigMap(folder: string, version: number, config: object): void {
  const data = `..v${version}`;
  fs.mkdirSync(join(folder, data));
  fs.writeFileSync(join(folder, data, 'logging.json'), JSON.stringify(config));
  fs.symlinkSync(data, join(folder, '..data_tmp'));
  fs.renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  if (version > 0) fs.rmSync(join(folder, `..v${version - 1}`), { recursive: true });
}

/** One stream stays, one is handed over with each version, one moves, one comes and goes. */
function configOf(version: number): object {
  return {
    streams: [
      { name: 'stays', type: 'file', path: 'stays.log' },
      { name: 'changes', type: 'file', path: 'changes.log', rotation: { size: `${100 + version}K` } },
      { name: 'moves', type: 'file', path: `moves.log.${version % 3}` },
      ...(version % 2 === 0 ? [{ name: 'comes', type: 'file', path: 'comes.log', filter: 'n>=0' }] : []),
    ],
  };
}

test(`a child that logs 2 000 records a second loses and doubles nothing over ${SWAPS} swaps of its ConfigMap`, async () => {
  using folder = scratchFolder();
  const map = join(folder.path, 'config');
  fs.mkdirSync(map);
  swapConfigMap(map, 0, configOf(0));
  fs.symlinkSync(join('..data', 'logging.json'), join(map, 'logging.json'));
  const program = start(folder.path, join(map, 'logging.json'), 2_000);
  try {
    await program.until(({ accepted }) => accepted > 0, 'the first record');
    for (let version = 1; version <= SWAPS; version++) {
      swapConfigMap(map, version, configOf(version));
      const { streams } = await program.until(
        ({ config }) => config.reloads === version,
        `reload ${version}`,
      );
      expect(Object.entries(streams).filter(([, stream]) => !isBalanced(stream))).toEqual([]);
      expect(Object.hasOwn(streams, 'comes')).toBe(version % 2 === 0);
    }
    const { n, closed, stats } = await program.end();
    expect(closed?.ok).toBe(true);
    for (const name of ['stays', 'changes', 'moves']) {
      expect(stats.streams[name]).toMatchObject({ accepted: n, delivered: n, dropped: {}, queued: 0 });
      expect(allRecords(folder.path, `${name}.log`), name).toEqual(count(0, n));
    }
    // It comes and goes; what it got it got once, in order.
    const got = numbersIn(readRecords(join(folder.path, 'comes.log')));
    expect(got).toEqual([...new Set(got)].toSorted((a, b) => a - b));
    expect(stats.streams['comes']).toMatchObject({ accepted: got.length, delivered: got.length });
  } finally {
    program.child.kill('SIGKILL');
  }
}, 120_000);

test('a broken file is told once, shows in the stats, and changes nothing; in-place and renamed files are seen', async () => {
  using folder = scratchFolder();
  const file = join(folder.path, 'logging.json');
  const config = (level: string): string =>
    JSON.stringify({ level, streams: [{ name: 'out', type: 'file', path: 'out.log' }] });
  fs.writeFileSync(file, config('info'));
  const program = start(folder.path, file, 200);
  try {
    await program.until(({ accepted }) => accepted > 0, 'the first record');
    fs.writeFileSync(file, '{ "level": "inof"');
    const broken = await program.until(({ config: { lastReload } }) => lastReload?.ok === false, 'the fault');
    expect(broken.config.lastReload?.error).toContain('CFG004');
    await program.until(() => program.stderr().includes('the old one holds'), 'the report');

    fs.writeFileSync(`${file}.tmp`, config('warn'));
    fs.renameSync(`${file}.tmp`, file);
    await program.until(({ config: { reloads } }) => reloads === 1, 'the reload of a renamed file');
    fs.writeFileSync(file, '');
    await sleep(100);
    fs.writeFileSync(file, config('info'));
    const reloaded = await program.until(
      ({ config: { reloads } }) => reloads === 2,
      'the reload of a file that was rewritten',
    );
    await program.until(({ accepted }) => accepted > reloaded.accepted, 'a record at the new level');

    const { n, stats } = await program.end();
    expect(program.stderr().match(/the old one holds/g)).toHaveLength(1);
    expect(isBalanced(stats.streams['out'] as StreamStats)).toBe(true);
    // At "warn" the records of the program were not logged.
    const got = numbersIn(readRecords(join(folder.path, 'out.log')));
    expect(got.length).toBeLessThan(n);
    expect(got.at(0)).toBe(0);
    expect(got.at(-1)).toBe(n - 1);
  } finally {
    program.child.kill('SIGKILL');
  }
}, 120_000);

test('with "watch": false a config is read again on SIGHUP alone, which also opens files anew', async () => {
  using folder = scratchFolder();
  const file = join(folder.path, 'logging.json');
  const config = (path: string): string =>
    JSON.stringify({ reload: { watch: false }, streams: [{ name: 'out', type: 'file', path }] });
  fs.writeFileSync(file, config('first.log'));
  const program = start(folder.path, file, 200);
  try {
    await program.until(({ accepted }) => accepted > 0, 'the first record');
    fs.writeFileSync(file, config('second.log'));
    await sleep(1_000);
    expect((await program.stats()).config.reloads).toBe(0);
    program.child.kill('SIGHUP');
    await program.until(({ config: { reloads } }) => reloads === 1, 'the reload');
    const { n } = await program.end();
    expect(program.stderr()).toContain('the config was reloaded (out: swap)');
    const records = ['first.log', 'second.log'].map((name) =>
      numbersIn(readRecords(join(folder.path, name))),
    );
    expect(records.flat()).toEqual(count(0, n));
    expect(records.every((part) => part.length > 0)).toBe(true);
  } finally {
    program.child.kill('SIGKILL');
  }
}, 120_000);

test('treeline run follows its config too', async () => {
  using folder = scratchFolder();
  const file = join(folder.path, 'logging.json');
  const config = (path: string): string => JSON.stringify({ streams: [{ name: 'out', type: 'file', path }] });
  fs.writeFileSync(file, config('first.log'));
  const child = spawn(process.execPath, [TREELINE, 'run', '-c', file], {
    cwd: folder.path,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let n = 0;
  const feed = setInterval(() => child.stdin.write(`{"level":30,"n":${n++}}\n`), 10);
  try {
    await expect
      .poll(() => readRecords(join(folder.path, 'first.log')).length, { timeout: WAIT_MS })
      .toBeGreaterThan(0);
    fs.writeFileSync(file, config('second.log'));
    await expect.poll(() => stderr, { timeout: WAIT_MS }).toContain('the config was reloaded');
    await expect
      .poll(() => readRecords(join(folder.path, 'second.log')).length, { timeout: WAIT_MS })
      .toBeGreaterThan(0);
    clearInterval(feed);
    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
    const records = ['first.log', 'second.log'].map((name) =>
      numbersIn(readRecords(join(folder.path, name))),
    );
    expect(records.flat()).toEqual(count(0, n));
  } finally {
    clearInterval(feed);
    child.kill('SIGKILL');
  }
}, 120_000);

test('a worker that dies in the middle of reloads loses and doubles nothing', async () => {
  using folder = scratchFolder();
  const ended = await runProgram('reloads-without-its-worker.mjs', ['6'], { cwd: folder.path });
  expect(ended.code, ended.stderr).toBe(0);
  const { n, closed, stats } = JSON.parse(ended.stdout) as Report;
  expect(closed?.ok).toBe(true);
  for (const name of ['moves', 'changes']) {
    expect(stats.streams[name]).toMatchObject({ accepted: n, delivered: n, dropped: {}, queued: 0 });
    const files = fs.readdirSync(folder.path).filter((file) => file.startsWith(name) && file.endsWith('.db'));
    const rows = files.flatMap((file) => storedNumbers(join(folder.path, file)));
    expect(rows.toSorted((a, b) => a - b)).toEqual(count(0, n));
  }
}, 120_000);

function storedNumbers(file: string): number[] {
  const store = openLogStore(file);
  const rows = [...store.queryLogs({ limit: 1_000_000 })];
  store.close();
  return numbersIn(rows.map(({ record }) => record));
}

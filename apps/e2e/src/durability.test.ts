import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoggerStats } from '@treeline/core';
import { openLogStore } from '@treeline/sqlite';
import { describe, expect, test } from 'vitest';
import {
  count,
  filesBelow,
  numbersIn,
  readRecords,
  readRecordsOfKilled,
  runProgram,
  scratchFolder,
} from './program.ts';

interface Drained {
  readonly flushed: { readonly ok: boolean };
  readonly stats: LoggerStats;
}

async function drain(config: object, cwd: string): Promise<Drained> {
  const ended = await runProgram('drains.mjs', [JSON.stringify(config)], { cwd });
  expect(ended.code, ended.stderr).toBe(0);
  return JSON.parse(ended.stdout) as Drained;
}

/** Kills the program some time after it has begun; returns the last record whose call had returned. */
async function killWhileLogging(
  config: object,
  first: number,
  afterMs: number,
  cwd: string,
  env: Record<string, string> = {},
): Promise<number> {
  const ended = await runProgram('logs-until-killed.mjs', [JSON.stringify(config), String(first)], {
    cwd,
    env,
    started: (pid) => {
      if (afterMs < Infinity) setTimeout(() => process.kill(pid, 'SIGKILL'), afterMs);
    },
  });
  expect(ended.signal, ended.stderr).toBe('SIGKILL');
  return Number(ended.stdout.trimEnd().split('\n').at(-1) || first - 1);
}

/** What the store holds of the programs' records, in the order of the rows. */
function storedNumbers(path: string): number[] {
  const store = openLogStore(path);
  const numbers = [...store.iterate({ order: 'asc' })].map((row) => row.record['n']);
  store.close();
  return numbers.filter((n) => typeof n === 'number');
}

/** Records that arrive twice count once: a file can't tell what it has seen. */
function expectAllUpTo(numbers: readonly number[], last: number): void {
  const present = new Set(numbers);
  expect(count(0, last + 1).filter((n) => !present.has(n))).toEqual([]);
}

/** First appearances come in the order of the calls. */
function expectInOrder(numbers: readonly number[]): void {
  const firsts = [...new Set(numbers)];
  expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
}

const DURABLE = {
  serviceName: 'durable',
  durability: 'process',
  streams: [
    { name: 'file', type: 'file', path: 'out.log' },
    { name: 'db', type: 'sqlite', path: 'logs.db' },
  ],
};

describe('with durability "process"', () => {
  test('every line whose call has returned survives SIGKILL at random moments, in order, in the store once', async () => {
    using folder = scratchFolder();
    let last = -1;
    const lasts: number[] = [];
    for (let kill = 0; kill < 15; kill++) {
      // Each process goes on far behind the other, so that a number tells its process.
      const first = kill * 1_000_000;
      last = await killWhileLogging(DURABLE, first, 150 + Math.random() * 500, folder.path);
      lasts.push(last);
    }
    const { flushed } = await drain(DURABLE, folder.path);
    expect(flushed.ok).toBe(true);
    const filed = numbersIn(readRecordsOfKilled(join(folder.path, 'out.log')));
    const stored = storedNumbers(join(folder.path, 'logs.db'));
    for (const [kill, lastOfKill] of lasts.entries()) {
      const first = kill * 1_000_000;
      const ofKill = (numbers: readonly number[]): number[] =>
        numbers.filter((n) => n >= first && n < first + 1_000_000).map((n) => n - first);
      expectAllUpTo(ofKill(filed), lastOfKill - first);
      expectInOrder(ofKill(filed));
      expect(ofKill(stored)).toEqual(count(0, ofKill(stored).length));
      expect(ofKill(stored).length).toBeGreaterThanOrEqual(lastOfKill - first + 1);
    }
  });

  test.each([
    'append-before',
    'append-torn',
    'append-after',
    'segment-created',
    'segment-header-torn',
    'cursors-before',
    'cursors-torn',
    'cursors-after',
    'log-directory-created',
    'owner-listening',
  ])('a kill at the failpoint %s loses no line whose call has returned', async (failpoint) => {
    using folder = scratchFolder();
    const env = { TREELINE_FAILPOINT: `${failpoint}:${failpoint.startsWith('append') ? 2_000 : 1}` };
    const last = await killWhileLogging(DURABLE, 0, Infinity, folder.path, env);
    await drain(DURABLE, folder.path);
    expectAllUpTo(numbersIn(readRecordsOfKilled(join(folder.path, 'out.log'))), last);
    const stored = storedNumbers(join(folder.path, 'logs.db'));
    expect(stored).toEqual(count(0, stored.length));
    expect(stored.length).toBeGreaterThanOrEqual(last + 1);
  });
});

describe('what could not be delivered in time', () => {
  test('is delivered at the next start to its stream, in order and once, and exit takes no longer than shutdown.timeout', async () => {
    using folder = scratchFolder();
    const release = join(folder.path, 'release');
    const path = join(folder.path, 'slow.log');
    const config = {
      serviceName: 'left',
      shutdown: { timeout: '1500ms' },
      streams: [
        { name: 'slow', type: 'stuck', path, until: release },
        { name: 'file', type: 'file', path: 'out.log' },
      ],
    };
    const ended = await runProgram('logs-beside-stuck.mjs', [JSON.stringify(config), '20000'], {
      cwd: folder.path,
    });
    expect(ended.code).toBe(5);
    expect(ended.durationMs).toBeLessThan(5_000);
    expect(ended.stderr).toContain('kept in');
    expect(numbersIn(readRecords(join(folder.path, 'out.log')))).toEqual(count(0, 20_000));
    expect(readRecords(path)).toEqual([]);

    writeFileSync(release, '');
    const { stats } = await drain(config, folder.path);
    expect(numbersIn(readRecords(path))).toEqual(count(0, 20_000));
    expect(numbersIn(readRecords(join(folder.path, 'out.log')))).toEqual(count(0, 20_000));
    expect(stats.streams['slow']).toMatchObject({ adopted: 20_004, delivered: 20_005, queued: 0 });
    for (const file of [path, join(folder.path, 'out.log')]) {
      const late = readRecords(file).flatMap((record) => record['late'] ?? []);
      expect([...new Set(late)]).toEqual([1, 2, 3, 4]);
    }
    expect(filesBelow(join(folder.path, 'logs/.treeline')).filter((name) => name.endsWith('.seg'))).toEqual(
      [],
    );
  });

  test('is kept for a stream that the next config does not know, and sent nowhere else', async () => {
    using folder = scratchFolder();
    const path = join(folder.path, 'slow.log');
    const slow = { name: 'slow', type: 'stuck', path, until: join(folder.path, 'release') };
    const file = { name: 'file', type: 'file', path: 'out.log' };
    const config = { serviceName: 'left', shutdown: { timeout: '300ms' }, streams: [slow, file] };
    await runProgram('logs-beside-stuck.mjs', [JSON.stringify(config), '500'], { cwd: folder.path });
    await drain({ ...config, streams: [{ ...file, path: 'other.log' }] }, folder.path);
    expect(numbersIn(readRecords(join(folder.path, 'other.log')))).toEqual([]);
    writeFileSync(join(folder.path, 'release'), '');
    await drain(config, folder.path);
    expect(numbersIn(readRecords(path))).toEqual(count(0, 500));
  });
});

describe('in-process', () => {
  const config = {
    mode: 'in-process',
    serviceName: 'in-process',
    streams: [
      { name: 'file', type: 'file', path: 'out-0.log' },
      { name: 'db', type: 'sqlite', path: 'logs.db' },
    ],
  };

  test('everything is delivered on return from main', async () => {
    using folder = scratchFolder();
    await runProgram('logs-and-ends.mjs', [JSON.stringify(config), 'return', '5000'], { cwd: folder.path });
    await drain(config, folder.path);
    expect(numbersIn(readRecords(join(folder.path, 'out-0.log')))).toEqual(count(0, 5_000));
    expect(storedNumbers(join(folder.path, 'logs.db'))).toEqual(count(0, 5_000));
  });

  test('a stuck destination keeps the program no longer than shutdown.timeout', async () => {
    using folder = scratchFolder();
    const streams = [{ name: 'stuck', type: 'stuck', path: join(folder.path, 'stuck.log') }];
    const stuck = JSON.stringify({ mode: 'in-process', shutdown: { timeout: '500ms' }, streams });
    const ended = await runProgram('returns-beside-stuck.mjs', [stuck], { cwd: folder.path });
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.durationMs).toBeLessThan(10_000);
    expect(ended.stderr).toContain('kept in');
  });

  test('what process.exit() left is delivered at the next start', async () => {
    using folder = scratchFolder();
    await runProgram('logs-and-ends.mjs', [JSON.stringify(config), 'exit', '5000'], { cwd: folder.path });
    await drain(config, folder.path);
    expect(numbersIn(readRecords(join(folder.path, 'out-0.log')))).toEqual(count(0, 5_000));
    expect(storedNumbers(join(folder.path, 'logs.db'))).toEqual(count(0, 5_000));
  });
});

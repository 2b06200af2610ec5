import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoggerStats } from '@treeline/core';
import { openLogStore } from '@treeline/sqlite';
import { describe, expect, test } from 'vitest';
import { count, filesBelow, numbersIn, readRecords, runProgram, scratchFolder } from './program.ts';

interface Drained {
  readonly flushed: { readonly ok: boolean };
  readonly stats: LoggerStats;
}

async function drain(config: object, cwd: string): Promise<Drained> {
  const ended = await runProgram('drains.mjs', [JSON.stringify(config)], { cwd });
  expect(ended.code, ended.stderr).toBe(0);
  return JSON.parse(ended.stdout) as Drained;
}

/** What the store holds of the programs' records, in the order of the rows. */
function storedNumbers(path: string): number[] {
  const store = openLogStore(path);
  const numbers = [...store.iterate({ order: 'asc' })].map((row) => row.record['n']);
  store.close();
  return numbers.filter((n) => typeof n === 'number');
}

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
    expect(stats.streams['slow']).toMatchObject({ adopted: 20_040, delivered: 20_041, queued: 0 });
    for (const file of [path, join(folder.path, 'out.log')]) {
      const late = readRecords(file).flatMap((record) => record['late'] ?? []);
      expect([...new Set(late)]).toEqual(count(1, 41));
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

describe('what a process left that was killed at its very first line', () => {
  test('goes to the streams of its config, and to no other', async () => {
    using folder = scratchFolder();
    const file = { name: 'file', type: 'file', path: 'out.log' };
    const config = { serviceName: 'early', durability: 'process', streams: [file] };
    const env = { TREELINE_FAILPOINT: 'append-after:1' };
    const killed = await runProgram('logs-until-killed.mjs', [JSON.stringify(config), '0'], {
      cwd: folder.path,
      env,
    });
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    await drain({ ...config, streams: [{ ...file, path: 'other.log' }] }, folder.path);
    expect(numbersIn(readRecords(join(folder.path, 'other.log')))).toEqual([]);
    await drain(config, folder.path);
    expect(numbersIn(readRecords(join(folder.path, 'out.log')))).toEqual([0]);
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

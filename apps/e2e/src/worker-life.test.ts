import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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

const LOGGERS = 1_000;

interface WhatIsLeft {
  readonly listeners: unknown;
  readonly openFiles: number;
  readonly threads: number;
}

describe('the pipeline worker', () => {
  test.each([
    ['without durability', { durability: 'none' }],
    ['with durability', { durability: 'process' }],
    ['with a window that spills', { window: '256K' }],
  ])('dies again and again: nothing is lost, the store holds each record once (%s)', async (_, change) => {
    using folder = scratchFolder();
    const config = {
      serviceName: 'dying',
      ...change,
      streams: [
        { name: 'file', type: 'file', path: 'out.log' },
        { name: 'db', type: 'sqlite', path: 'logs.db' },
      ],
    };
    const ended = await runProgram('loses-its-worker.mjs', [JSON.stringify(config), '20000', '4'], {
      cwd: folder.path,
    });
    expect(ended.code, ended.stderr).toBe(0);
    const report = JSON.parse(ended.stdout) as { flushed: object; unbalanced: unknown[]; stats: LoggerStats };
    expect(report.flushed).toMatchObject({ ok: true });
    expect(report.unbalanced).toEqual([]);
    expect(report.stats).toMatchObject({ accepted: 20_000, underWay: 0 });
    const firsts = [...new Set(numbersIn(readRecordsOfKilled(join(folder.path, 'out.log'))))];
    expect(firsts).toEqual(count(0, 20_000));
    const store = openLogStore(join(folder.path, 'logs.db'));
    const stored = [...store.iterate({ order: 'asc' })].map((row) => row.record['n']);
    store.close();
    expect(stored).toEqual(count(0, 20_000));
  });

  test('dies while it takes over what a dead process left: the same process delivers it at once', async () => {
    using folder = scratchFolder();
    const release = join(folder.path, 'release');
    const path = join(folder.path, 'slow.log');
    const slow = { name: 'slow', type: 'stuck', path, until: release };
    const config = JSON.stringify({
      serviceName: 'left',
      shutdown: { timeout: '300ms' },
      streams: [slow, { name: 'file', type: 'file', path: 'out.log' }],
    });
    await runProgram('logs-beside-stuck.mjs', [config, '5000'], { cwd: folder.path });
    const ended = await runProgram('loses-its-worker-taking-over.mjs', [config, release], {
      cwd: folder.path,
    });
    expect(ended.code, ended.stderr).toBe(0);
    const { flushed, stats } = JSON.parse(ended.stdout) as { flushed: object; stats: LoggerStats };
    expect(flushed).toMatchObject({ ok: true });
    expect(numbersIn(readRecords(path))).toEqual(count(0, 5_000));
    // The four that its exit handlers logged among them.
    expect(stats.streams['slow']).toMatchObject({ accepted: 1, adopted: 5_040, delivered: 5_041, queued: 0 });
    expect(filesBelow(join(folder.path, 'logs/.treeline')).filter((name) => name.endsWith('.seg'))).toEqual(
      [],
    );
  });

  test('keeps no idle process alive, and a logger that is disposed has delivered', async () => {
    using folder = scratchFolder();
    const config = (path: string): string =>
      JSON.stringify({ streams: [{ name: 'file', type: 'file', path }] });
    const ended = await runProgram('idles.mjs', [config('first.log'), config('second.log')], {
      cwd: folder.path,
    });
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.durationMs).toBeLessThan(10_000);
    expect(numbersIn(readRecords(join(folder.path, 'first.log')))).toEqual([0]);
    expect(numbersIn(readRecords(join(folder.path, 'second.log')))).toEqual([1]);
  });

  test('runs beside a program that stands on the command line', () => {
    using folder = scratchFolder();
    const streams = [
      { name: 'file', type: 'file', path: join(folder.path, 'out.log') },
      { name: 'store', type: 'sqlite', path: join(folder.path, 'out.db') },
    ];
    const config = JSON.stringify({ directory: folder.path, streams });
    const program = `
      import { createLogger } from '@treeline/core';
      const logger = createLogger(${config});
      logger.info({ n: 0 }, 'one');
      console.log(JSON.stringify(await logger.flush()));
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    });
    expect(JSON.parse(stdout), stderr).toEqual({ ok: true, streams: { file: 'flushed', store: 'flushed' } });
    expect(numbersIn(readRecords(join(folder.path, 'out.log')))).toEqual([0]);
  });

  test('a thousand loggers that were closed leave no listener, file or thread behind', async () => {
    using folder = scratchFolder();
    const ended = await runProgram('makes-many-loggers.mjs', [String(LOGGERS)], { cwd: folder.path });
    expect(ended.code, ended.stderr).toBe(0);
    const { before, after, idleThreads, rssBytes } = JSON.parse(ended.stdout) as {
      before: WhatIsLeft;
      after: WhatIsLeft;
      idleThreads: number;
      rssBytes: number;
    };
    expect(after.listeners).toEqual(before.listeners);
    expect(after.openFiles).toBeLessThanOrEqual(before.openFiles);
    expect(after.threads).toBeLessThanOrEqual(idleThreads);
    // Windows of 16 MiB that only the garbage collector gave back came to 2 GB.
    expect(rssBytes / 2 ** 20).toBeLessThan(500);
    const lines = count(0, 10).map((index) => readFileSync(join(folder.path, `out-${index}.log`), 'utf8'));
    expect(lines.join('').trimEnd().split('\n')).toHaveLength(LOGGERS);
  });
});

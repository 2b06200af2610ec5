import { join } from 'node:path';
import type { FlushResult, LoggerStats, StreamStatus } from '@treeline/core';
import { describe, expect, test } from 'vitest';
import { count, countFromZero, numbersIn, readRecords, runProgram, scratchFolder } from './program.ts';

interface Report {
  readonly loopMs: number;
  readonly flushed: FlushResult;
  readonly closed: FlushResult;
  readonly stats: LoggerStats;
  readonly unbalanced: readonly unknown[];
  readonly statuses: readonly StreamStatus[];
  readonly idleRssBytes: number;
  readonly peakRssBytes: number;
}

async function logBeside(
  streams: readonly object[],
  lines: number,
  perTick: number,
  cwd: string,
): Promise<Report> {
  const config = JSON.stringify({ serviceName: 'isolation', streams });
  const ended = await runProgram('logs-beside-bad-streams.mjs', [config, String(lines), String(perTick)], {
    cwd,
  });
  expect(ended.code, ended.stderr).toBe(0);
  return JSON.parse(ended.stdout) as Report;
}

describe('a stream that misbehaves harms no other', () => {
  test('one throws, one never answers, one ends its thread: the healthy ones get every record once', async () => {
    using folder = scratchFolder();
    const report = await logBeside(
      [
        { name: 'throwing', type: 'throwing' },
        { name: 'stuck', type: 'stuck' },
        { name: 'exiting', type: 'exiting', path: join(folder.path, 'exiting.log'), every: 3 },
        { name: 'healthy', type: 'file', path: 'healthy.log' },
        { name: 'db', type: 'sqlite', path: 'logs.db' },
      ],
      30_000,
      100,
      folder.path,
    );
    expect(numbersIn(readRecords(join(folder.path, 'healthy.log')))).toEqual(count(0, 30_000));
    const { openLogStore } = await import('@treeline/sqlite');
    const store = openLogStore(join(folder.path, 'logs.db'));
    expect(store.count()).toBe(30_001);
    store.close();
    expect(report.flushed.streams).toMatchObject({
      throwing: 'timeout',
      stuck: 'timeout',
      healthy: 'flushed',
      db: 'flushed',
    });
    expect(report.unbalanced).toEqual([]);
    expect(report.stats.streams['healthy']).toMatchObject({ delivered: 30_001, queued: 0 });
    expect(report.stats.streams['throwing']).toMatchObject({
      state: 'down',
      lastError: 'this sink throws',
      delivered: 0,
    });
    const downs = report.statuses.filter(({ type }) => type === 'down').map(({ stream }) => stream);
    expect(new Set(downs)).toEqual(new Set(['throwing', 'exiting']));
  });

  test('a thread that ends again and again comes back and goes on, in order', async () => {
    using folder = scratchFolder();
    const path = join(folder.path, 'exiting.log');
    const streams = [{ name: 'exiting', type: 'exiting', path, every: 8 }];
    const report = await logBeside(streams, 10_000, 500, folder.path);
    expect(numbersIn(readRecords(path))).toEqual(count(0, 10_000));
    expect(report.unbalanced).toEqual([]);
    expect(report.statuses.some(({ type, stream }) => type === 'recovered' && stream === 'exiting')).toBe(
      true,
    );
  });
});

describe('memory is bounded', () => {
  test('2 000 000 records of 350 bytes in one loop with a stuck destination stay within 200 MB', async () => {
    using folder = scratchFolder();
    const report = await logBeside(
      [
        { name: 'stuck', type: 'stuck' },
        { name: 'healthy', type: 'file', path: 'healthy.log' },
      ],
      2_000_000,
      3_000_000,
      folder.path,
    );
    expect((report.peakRssBytes - report.idleRssBytes) / 2 ** 20).toBeLessThan(200);
    expect(report.stats.streams['healthy']).toMatchObject({ delivered: 2_000_001, dropped: {} });
    expect(report.unbalanced).toEqual([]);
    expect(await countFromZero(join(folder.path, 'healthy.log'))).toBe(2_000_000);
  });
});

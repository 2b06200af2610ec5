import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LogRecord } from '@treeline/contract';
import type { FlushResult, LoggerStats, StreamStats, StreamStatus } from '@treeline/core';
import { describe, expect, test } from 'vitest';
import { count, filesBelow, numbersIn, readRecords, runProgram, scratchFolder } from './program.ts';

/** Some 330 bytes each: twice what is kept for the stream that is held up. */
const LINES = 120_000;

const SPOOL = { maxBytes: '16M', segmentBytes: '2M' };

interface Report {
  readonly flushed: FlushResult;
  /** While the stream is held up. */
  readonly held: LoggerStats;
  readonly stats: LoggerStats;
  readonly unbalanced: readonly unknown[];
  readonly statuses: readonly StreamStatus[];
  /** The most that the segments took. */
  readonly mostBytes: number;
}

async function outgrow(change: object, cwd: string, stateDirectory = join(cwd, 'state')): Promise<Report> {
  const { queue, ...rest } = change as { queue?: object };
  const held = {
    name: 'held',
    type: 'stuck',
    path: join(cwd, 'held.log'),
    until: join(cwd, 'release'),
    queue,
  };
  const streams = [held, { name: 'healthy', type: 'file', path: 'healthy.log' }];
  const config = { serviceName: 'bounds', stateDirectory, ...rest, streams };
  const ended = await runProgram(
    'outgrows-its-bounds.mjs',
    [JSON.stringify(config), stateDirectory, join(cwd, 'release'), String(LINES)],
    { cwd },
  );
  expect(ended.code, ended.stderr).toBe(0);
  return JSON.parse(ended.stdout) as Report;
}

function droppedOf({ streams }: LoggerStats, name: string): number {
  return Object.values((streams[name] as StreamStats).dropped).reduce((sum, n) => sum + n, 0);
}

/** What the held stream's destination has: the records, and the notices of drops. */
function readHeld(cwd: string): { numbers: number[]; notices: LogRecord[] } {
  const records = readRecords(join(cwd, 'held.log'));
  return { numbers: numbersIn(records), notices: records.filter((record) => 'dropped' in record) };
}

function expectTheRestInOrder(report: Report, cwd: string): void {
  const { numbers } = readHeld(cwd);
  expect(report.flushed.streams).toEqual({ held: 'flushed', healthy: 'flushed' });
  expect(report.unbalanced).toEqual([]);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  expect(numbers.length).toBe(new Set(numbers).size);
  expect(numbers.length).toBe(LINES - droppedOf(report.stats, 'held'));
}

function expectHealthy(report: Report, cwd: string): void {
  expect(report.stats.streams['healthy']).toMatchObject({ accepted: LINES, delivered: LINES, dropped: {} });
  expect(numbersIn(readRecords(join(cwd, 'healthy.log')))).toEqual(count(0, LINES));
}

describe('a drop is counted by stream and reason, and told once in that stream when it recovers', () => {
  test.each([
    ['drop-oldest', 'queue-full', { queue: { maxBytes: '8M', whenFull: 'drop-oldest' } }],
    ['drop-by-level', 'queue-full', { queue: { maxBytes: '8M', whenFull: 'drop-by-level' } }],
    ['spill, past spool.maxBytes', 'log-full', { spool: SPOOL }],
    ['spill with durability, past spool.maxBytes', 'log-full', { durability: 'process', spool: SPOOL }],
  ])('%s: %s', async (_, reason, change) => {
    using folder = scratchFolder();
    const report = await outgrow(change, folder.path);
    const dropped = droppedOf(report.stats, 'held');
    expect(report.stats.streams['held']).toMatchObject({ dropped: { [reason]: dropped } });
    expect(dropped).toBeGreaterThan(LINES / 10);
    // Known at once, but for lines that share 64 KiB with some that are still there: they are missed when those are read.
    expect(dropped - droppedOf(report.held, 'held')).toBeLessThan(400);
    expect(readHeld(folder.path).notices).toMatchObject([{ dropped: { [reason]: dropped } }]);
    const told = report.statuses.filter(({ stream, type }) => stream === 'held' && type === 'dropped');
    expect(told).toMatchObject([{ reason, count: dropped }]);
    expectTheRestInOrder(report, folder.path);
    expectHealthy(report, folder.path);
    if (reason === 'log-full') expect(report.mostBytes).toBeLessThanOrEqual(16 * 1024 * 1024);
  });
});

test('a full disk under the state directory costs the stream that lags its oldest lines, counted, and nobody else anything', async ({
  skip,
}) => {
  using folder = scratchFolder();
  const disk = join(folder.path, 'disk');
  mkdirSync(disk);
  try {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    skip('mounting a small tmpfs needs root');
  }
  try {
    const report = await outgrow({ spool: { segmentBytes: '2M' } }, folder.path, join(disk, '.treeline'));
    const dropped = droppedOf(report.stats, 'held');
    expect(dropped).toBeGreaterThan(0);
    expect(readHeld(folder.path).notices).toMatchObject([{ dropped: report.stats.streams['held']?.dropped }]);
    expectTheRestInOrder(report, folder.path);
    expectHealthy(report, folder.path);
  } finally {
    execFileSync('/bin/umount', [disk]);
  }
});

test.for([
  ['exit', 'worker'],
  ['exit', 'in-process'],
  ['close', 'worker'],
] as const)(
  'what a full disk does not keep at the end is told and counted as lost, and the next start gets the rest (%s, %s)',
  async ([way, mode], { skip }) => {
    using folder = scratchFolder();
    const { path: cwd } = folder;
    const disk = join(cwd, 'disk');
    mkdirSync(disk);
    try {
      execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      skip('mounting a small tmpfs needs root');
    }
    try {
      const path = join(cwd, 'slow.log');
      const until = join(cwd, 'release');
      const config = JSON.stringify({
        serviceName: 'full',
        mode,
        stateDirectory: disk,
        shutdown: { timeout: '300ms' },
        streams: [{ name: 'slow', type: 'stuck', path, until }],
      });
      const ended = await runProgram('ends-beside-stuck.mjs', [config, way, '20000'], { cwd });
      expect(ended.code, ended.stderr).toBe(0);
      const { stats, statuses } = JSON.parse(ended.stdout) as {
        stats?: LoggerStats;
        statuses: StreamStatus[];
      };
      const told = statuses.filter(({ type }) => type === 'dropped');
      const lost = told.reduce((sum, each) => sum + (each.count ?? 0), 0);
      expect(lost).toBeGreaterThan(1000);
      expect(ended.stderr).toMatch(/slow: dropped: disk-full: not delivered before the end.*ENOSPC/);
      if (stats)
        expect(stats.streams['slow']).toMatchObject({
          accepted: 20_000,
          dropped: { 'disk-full': lost },
          queued: 20_000 - lost,
        });
      else
        expect(statuses.at(-1)).toMatchObject({
          reason: expect.stringContaining('kept in') as string,
          count: 20_000 - lost,
        });

      writeFileSync(until, '');
      const drained = await runProgram('drains.mjs', [config], { cwd });
      expect(drained.code, drained.stderr).toBe(0);
      const next = JSON.parse(drained.stdout) as { stats: LoggerStats };
      expect(next.stats.streams['slow']).toMatchObject({ adopted: 20_000 - lost });
    } finally {
      execFileSync('/bin/umount', [disk]);
    }
  },
);

test('a corrupt frame on disk costs that frame, and is counted and told in the stream', async () => {
  using folder = scratchFolder();
  const { path: cwd } = folder;
  const streams = [{ name: 'file', type: 'file', path: 'out.log' }];
  const config = JSON.stringify({ serviceName: 'corrupt', durability: 'process', streams });
  const env = { TREELINE_FAILPOINT: 'append-after:100' };
  const killed = await runProgram('logs-until-killed.mjs', [config, '0'], { cwd, env });
  expect(killed.signal, killed.stderr).toBe('SIGKILL');

  const state = join(cwd, 'logs/.treeline');
  const [segment = ''] = filesBelow(state).filter((name) => name.endsWith('.seg'));
  const bytes = readFileSync(join(state, segment));
  // Each line has a frame of its own.
  const at = bytes.indexOf('"n":42,');
  bytes[at + 5] = 0x39;
  writeFileSync(join(state, segment), bytes);

  const drained = await runProgram('drains.mjs', [config], { cwd });
  expect(drained.code, drained.stderr).toBe(0);
  const { stats } = JSON.parse(drained.stdout) as { stats: LoggerStats };
  expect(stats.streams['file']).toMatchObject({ adopted: 100, dropped: { 'disk-fault': 1 }, queued: 0 });
  const records = readRecords(join(cwd, 'out.log'));
  expect(numbersIn(records)).toEqual(count(0, 100).filter((n) => n !== 42));
  expect(records.filter((record) => 'dropped' in record)).toMatchObject([{ dropped: { 'disk-fault': 1 } }]);
});

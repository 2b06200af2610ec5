import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { openLogReader, openLogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-processes-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

let files = 0;
let path = '';
beforeEach(() => {
  path = join(folder, `${files++}.db`);
});

const fixture = fileURLToPath(new URL('../fixtures/write-batches.js', import.meta.url));

interface Writer {
  readonly child: ChildProcess;
  /** What it has acknowledged so far. */
  readonly lines: () => number[];
  readonly ended: Promise<unknown>;
  readonly errors: () => string;
}

function startWriter(logId: string, first: number, batches: number, prefix: string[] = []): Writer {
  const [command, ...args] = [
    ...prefix,
    process.execPath,
    fixture,
    path,
    logId,
    String(first),
    String(batches),
  ];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  return {
    child,
    errors: () => errors,
    lines: () => output.split('\n').slice(0, -1).map(Number),
    ended: once(child, 'close'),
  };
}

function numbersOf(logId: string): number[] {
  const reader = openLogReader(path);
  const numbers = Array.from(reader.iterate({ source: logId, type: 'log', order: 'asc' }), (row) =>
    Number(row.record.n),
  );
  reader.close();
  return numbers;
}

test(
  'kill -9 during writing, a hundred times: the store is whole, no acknowledged row is missing and none is there twice',
  {
    timeout: 120_000,
  },
  async () => {
    let next = 1;
    let random = 7;
    for (let round = 0; round < 100; round++) {
      // Each start offers the last 500 records again, as core does after a crash.
      const writer = startWriter('log', Math.max(1, next - 500), Infinity);
      await once(writer.child.stdout ?? writer.child, 'data');
      random = (random * 16_807) % 2_147_483_647;
      await new Promise((resolve) => setTimeout(resolve, random % 40));
      writer.child.kill('SIGKILL');
      await writer.ended;
      const acknowledged = Math.max(next - 1, writer.lines().at(-1) ?? 0);
      const db = new BetterSqlite3(path);
      const [count, distinct, last] = db
        .prepare<[], [number, number, number]>(
          "SELECT count(*), count(DISTINCT payload ->> 'n'), max(CAST(payload ->> 'n' AS INTEGER)) FROM logs",
        )
        .raw()
        .get() ?? [0, 0, 0];
      expect([distinct, last]).toEqual([count, count]);
      expect(count).toBeGreaterThanOrEqual(acknowledged);
      expect(db.prepare('SELECT sum(n) FROM log_counts').pluck().get()).toBe(count);
      if (round % 10 === 9) expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
      db.close();
      next = count + 1;
    }
  },
);

test(
  'two processes write while a third reads: all rows are there, in order, and the store is whole',
  {
    timeout: 60_000,
  },
  async () => {
    openLogStore(path).close();
    const writers = ['one', 'two'].map((logId) => startWriter(logId, 1, 100));
    const reader = openLogReader(path);
    const state = { running: true };
    const ended = Promise.all(writers.map((writer) => writer.ended)).then(() => (state.running = false));
    let reads = 0;
    while (state.running) {
      const rows = reader.queryLogs({ source: 'one', type: 'log', limit: 500 });
      const numbers = rows.map((row) => Number(row.record.n));
      // Newest first, without a gap: batches appear whole.
      expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) - index));
      reads++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await ended;
    reader.close();
    const all = Array.from({ length: 20_000 }, (_, index) => index + 1);
    expect(numbersOf('one')).toEqual(all);
    expect(numbersOf('two')).toEqual(all);
    expect(reads).toBeGreaterThan(10);
  },
);

test(
  'on a full disk writing is refused, not acknowledged, and goes on when there is room',
  { timeout: 30_000 },
  async () => {
    // A limit on the size of files, which needs no rights: SQLite sees a failing write as on a full disk.
    const limited = startWriter('log', 1, Infinity, ['bash', '-c', 'ulimit -f 2048; exec "$@"', 'bash']);
    await limited.ended;
    const acknowledged = limited.lines().at(-1) ?? 0;
    expect(limited.child.exitCode).not.toBe(0);
    expect(limited.errors()).toContain('disk I/O error');
    expect(acknowledged).toBeGreaterThan(0);
    expect(numbersOf('log').length).toBeGreaterThanOrEqual(acknowledged);
    const stored = numbersOf('log').length;
    const free = startWriter('log', 1, stored / 200 + 1);
    await free.ended;
    expect(numbersOf('log')).toEqual(Array.from({ length: stored + 200 }, (_, index) => index + 1));
  },
);

/** A file system of our own needs a mount, which not every machine allows. */
const inOwnMounts = ['--user', '--map-root-user', '--mount', 'sh', '-c'];
const canMount = spawnSync('unshare', [...inOwnMounts, 'mount -t tmpfs none /mnt']).status === 0;

test.skipIf(!canMount)(
  'a tmpfs that fills up refuses what has no room, keeps what it took, and goes on when there is room again',
  { timeout: 60_000 },
  () => {
    const program = fileURLToPath(new URL('../fixtures/fill-disk.js', import.meta.url));
    const script = 'mount -t tmpfs -o size=8m none "$1" && exec "$2" "$3" "$1"';
    const args = [...inOwnMounts, script, 'sh', folder, process.execPath, program];
    const { stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8' });
    expect(stderr).toBe('');
    const outcome = JSON.parse(stdout) as { refusedAt: number; acknowledged: number };
    expect(outcome).toMatchObject({
      refusal: expect.stringMatching(
        /logs\.db can't grow: the disk is full; make room on it|in part/,
      ) as string,
      isWhole: true,
      findings: [],
      events: [expect.stringMatching(/^full: /)],
    });
    expect(outcome.refusedAt).toBeGreaterThan(0);
    expect(outcome.acknowledged).toBe(outcome.refusedAt + 600);
  },
);

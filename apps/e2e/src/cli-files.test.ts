import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { collect, startTreeline, treeline, writeConfig, type Finished } from './command.ts';
import { count, scratchFolder } from './program.ts';

const FIRST_MS = 1_764_000_000_000;
const PATIENCE = { timeout: 60_000, interval: 20 };

let cwd = '';
let folder: ReturnType<typeof scratchFolder> | undefined;

const lineOf = (n: number): string =>
  JSON.stringify({
    level: n % 10 === 0 ? 50 : 30,
    time: FIRST_MS + n * 1000,
    name: n % 2 === 0 ? 'api' : 'worker',
    ref_id: `o-${n % 3}`,
    trace_id: `trace-${n % 7}`,
    msg: `record ${n}`,
  });

/** Two logs beside each other, one of them rotated and compressed: the first takes the even records, the second the odd ones. */
beforeAll(async () => {
  folder = scratchFolder();
  cwd = folder.path;
  for (const [name, rest] of [
    ['a', 0],
    ['b', 1],
  ] as const) {
    const stream = { type: 'file', path: `logs/${name}.log`, rotation: { size: '1K' }, compress: 'gzip' };
    const config = writeConfig(cwd, { streams: [name === 'a' ? stream : { ...stream, compress: 'none' }] });
    const numbers = count(0, 200).filter((n) => n % 2 === rest);
    await treeline(['run', '-c', config], { cwd, input: numbers.map((n) => `${lineOf(n)}\n`).join('') });
  }
});

afterAll(() => {
  folder?.[Symbol.dispose]();
});

const ask = (...args: string[]): Promise<Finished> => treeline(args, { cwd });
const linesOf = (stdout: string): string[] => stdout.split('\n').filter((line) => line !== '');
const lines = (numbers: readonly number[]): string[] => numbers.map(lineOf);

describe('treeline query over log files', () => {
  test('prints the lines of a folder as they were logged, in the order of time, compressed ones included', async () => {
    const { stdout, stderr, code } = await ask('query', './logs', '-o', 'jsonl');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(linesOf(stdout)).toEqual(lines(count(0, 200)));
    expect(fs.readdirSync(path.join(cwd, 'logs')).filter((name) => name.endsWith('.gz'))).not.toEqual([]);
  });

  test.each([
    { args: ['logs', '-n', '3'], found: [197, 198, 199] },
    { args: ['logs', '-n', '2', '--reverse'], found: [199, 198] },
    { args: ['logs/a.log', '-n', '2'], found: [196, 198] },
    { args: ['level>=error', 'logs', '-n', '2'], found: [180, 190] },
    { args: ['--source', 'worker', '--ref', 'o-1', '-n', '1', 'logs'], found: [199] },
    { args: ['--grep', 'RECORD 77', 'logs'], found: [77] },
    { args: ['--since', String(FIRST_MS + 198_000), 'logs'], found: [198, 199] },
    { args: ['--until', String(FIRST_MS + 2000), 'logs'], found: [0, 1] },
  ])('understands $args', async ({ args, found }) => {
    expect(linesOf((await ask('query', ...args, '-o', 'jsonl')).stdout)).toEqual(lines(found));
  });

  test('goes on behind a cursor, also when the file of its record has been rotated', async () => {
    const { stderr } = await ask('query', '--until', String(FIRST_MS + 150_000), 'logs', '--show-cursor');
    const cursor = /cursor: (\S+)/.exec(stderr)?.[1] ?? '';
    const { stdout } = await ask('query', 'logs', '--cursor', cursor, '-o', 'jsonl');
    expect(linesOf(stdout)).toEqual(lines(count(150, 200)));
    expect((await ask('query', 'logs', '--cursor', 'nonsense')).code).toBe(2);
  });

  test('a story has each of several identical lines', async () => {
    const line = (msg: string, ms: number): string =>
      `{"level":30,"time":${FIRST_MS + ms},"ref_id":"twin","trace_id":"t1","msg":"${msg}"}\n`;
    const text = line('same', 0) + line('same', 0) + line('other', 1);
    fs.writeFileSync(path.join(cwd, 'twins.log'), text);
    const { stdout } = await ask('ref', 'twin', 'twins.log', '-o', 'jsonl');
    expect(stdout).toBe(text);
  });

  test('answers stages, stats and stories as a store does', async () => {
    const table = await ask('query', 'level>=error | count by source', 'logs', '-o', 'jsonl');
    expect(table.stdout).toBe('{"source":"api","count":20}\n');
    const stats = JSON.parse((await ask('stats', 'logs', '-o', 'json')).stdout) as { count: number };
    expect(stats.count).toBe(200);
    const context = await ask('query', 'msg="record 42" | context 1,1', 'logs', '-o', 'jsonl');
    expect(linesOf(context.stdout)).toEqual(lines([40, 42, 44]));
    expect((await ask('ref', 'o-2', 'logs')).stdout).toMatch(/^o-2: 200 records of 2 sources/);
  });

  test('tells what a time limit has left out', async () => {
    const { code, stderr } = await ask('query', 'msg="none"', 'logs', '--timeout', '0ms');
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('not all was looked at') });
  });

  test('follows what is written, through rotation', async () => {
    fs.mkdirSync(path.join(cwd, 'live'));
    const log = path.join(cwd, 'live/app.log');
    fs.writeFileSync(log, `${lineOf(0)}\n${lineOf(1)}\n`);
    const child = startTreeline(['query', '-f', '-n', '1', '-o', 'jsonl', 'live'], { cwd });
    const stdout = collect(child.stdout);
    await vi.waitUntil(() => linesOf(stdout.text).length === 1, PATIENCE);
    fs.appendFileSync(log, `${lineOf(2)}\n`);
    await vi.waitUntil(() => linesOf(stdout.text).length === 2, PATIENCE);
    fs.renameSync(log, `${log}.2026-11-22.1`);
    fs.writeFileSync(log, `${lineOf(3)}\n`);
    await vi.waitUntil(() => linesOf(stdout.text).length === 3, PATIENCE);
    child.kill('SIGINT');
    await once(child, 'close');
    expect(linesOf(stdout.text)).toEqual(lines([1, 2, 3]));
  });

  test('exits with 66 where no logs are', async () => {
    const { code, stderr } = await ask('query', 'level>=error', 'logs/none.log');
    expect({ code, stderr }).toEqual({ code: 66, stderr: expect.stringContaining("can't read") });
  });
});

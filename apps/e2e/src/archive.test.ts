import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { openLogReader, openLogStore, type LogEntry } from '@treeline/sqlite';
import { acquireArchiveLease } from '@treeline/sqlite/archival';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { finish, startTreeline, treeline, writeConfig, type Finished } from './command.ts';
import { installPackages } from './foreign-package.ts';
import { scratchFolder } from './program.ts';

const DAY_MS = 86_400_000;

let folder: ReturnType<typeof scratchFolder>;
let cwd = '';
beforeEach(() => {
  folder = scratchFolder();
  cwd = folder.path;
});
afterEach(() => folder[Symbol.dispose]());

function fill(count: number, daysAgo: number, file = 'logs.db'): void {
  const store = openLogStore(path.join(cwd, file));
  const firstMs = Date.now() - daysAgo * DAY_MS;
  store.append(
    Array.from({ length: count }, (_, n): LogEntry => ({
      source: 'api',
      ts: firstMs + n,
      msg: `d${daysAgo} ${n}`,
      level: n % 10 === 0 ? 50 : 30,
    })),
  );
  store.close();
}

const archive = (...args: string[]): Promise<Finished> => treeline(['archive', ...args], { cwd });
const run = (): Promise<Finished> => archive('run', '--older-than', '30d', '--to', 'archive', 'logs.db');

const objects = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const filesOf = (suffix: string): string[] =>
  fs.readdirSync(path.join(cwd, 'archive')).filter((name) => name.endsWith(suffix));

test.each(['packages/archive/README.md', 'docs/guide/archive.md'])(
  'the program in %s works as it stands',
  async (page) => {
    const text = fs.readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8');
    const program = /```js\n([^]*?)```/.exec(text)?.[1] ?? '';
    installPackages(cwd, ['@treeline/archive']);
    fs.writeFileSync(path.join(cwd, 'example.mjs'), program);
    fs.mkdirSync(path.join(cwd, 'data'));
    fill(30, 40, 'data/logs.db');
    const ended = spawnSync(process.execPath, ['example.mjs'], { cwd, encoding: 'utf8' });
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    expect(await archive('verify', 'archive')).toMatchObject({ code: 0 });
    expect(filesOf('.gz')).toHaveLength(1);
  },
);

describe('treeline archive', () => {
  test('moves rows away, proves them, lists them, brings them back, and the log reads as before', async () => {
    fill(200, 40);
    fill(50, 1);
    const query = ['query', '-n', 'all', '-o', 'rows', 'logs.db'];
    const before = await treeline(query, { cwd });
    expect(objects(before.stdout)).toHaveLength(250);
    const ran = await run();
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(objects(ran.stdout).at(-1)).toMatchObject({ event: 'done', deleted: 200, segments: 1 });
    expect(objects(ran.stdout)).toContainEqual(
      expect.objectContaining({ event: 'progress', step: 'compare', done: 200 }),
    );
    expect(await treeline(query, { cwd })).toEqual(before);
    const listed = await archive('list', 'archive', '-o', 'jsonl');
    expect(objects(listed.stdout)).toMatchObject([{ segment: 1, rows: 200, levels: { 30: 180, 50: 20 } }]);
    expect(await archive('verify', 'archive')).toMatchObject({ code: 0 });
    const restored = await archive('restore', '--to', 'scratch.db', 'archive');
    expect(restored.code).toBe(0);
    const scratch = await treeline(['query', '-n', 'all', '-o', 'rows', 'scratch.db'], { cwd });
    expect(objects(scratch.stdout)).toEqual(objects(before.stdout).slice(0, 200));
  });

  test('the newest rows, a limit, a cursor and a level reach over the border', async () => {
    fill(30, 40);
    fill(20, 1);
    const asked = [
      ['-n', '25'],
      ['-n', '25', '--reverse'],
      ['-l', 'error'],
      ['d40 or d1', '-S', '41d'],
      ['--cursor', ''],
    ];
    const ask = async (): Promise<string[]> => {
      const answers: string[] = [];
      for (const args of asked)
        answers.push((await treeline(['query', '-o', 'jsonl', ...args, 'logs.db'], { cwd })).stdout);
      return answers;
    };
    const first = await treeline(['query', '-n', '5', '-r', '--show-cursor', '-U', '20d', 'logs.db'], {
      cwd,
    });
    asked[4] = ['--cursor', /cursor: (\S+)/.exec(first.stderr)?.[1] ?? ''];
    const before = await ask();
    expect((await run()).code).toBe(0);
    expect(await ask()).toEqual(before);
    expect(before.every((text) => text !== '')).toBe(true);
  });

  test.each<[string, string[], number, RegExp]>([
    ['no age', ['run', '--to', 'a', 'logs.db'], 2, /--older-than/],
    [
      'an age without a unit',
      ['run', '--older-than', '30', '--to', 'a', 'logs.db'],
      2,
      /--older-than must have a unit, like "30d"/,
    ],
    [
      'a wrong level of compression',
      ['run', '--older-than', '30d', '--to', 'a', '--gzip-level', 'x', 'logs.db'],
      2,
      /--gzip-level must be a whole number from 1 to 9/,
    ],
    [
      'a store that is missing',
      ['run', '--older-than', '30d', '--to', 'a', 'none.db'],
      66,
      /none\.db does not exist/,
    ],
    [
      'a folder that is a file',
      ['run', '--older-than', '30d', '--to', 'file', 'logs.db'],
      66,
      /file can't be a folder \(EEXIST\)/,
    ],
    ['an archive that is missing', ['verify', 'none'], 66, /none does not exist/],
    ['an archive that is a file', ['list', 'file'], 66, /file is no folder that can be read/],
  ])('refuses %s', async (_, args, code, message) => {
    fill(10, 40);
    fs.writeFileSync(path.join(cwd, 'file'), '');
    const refused = await archive(...args);
    expect(refused).toMatchObject({ code, stdout: '' });
    expect(refused.stderr).toMatch(message);
    expect(refused.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test('verify names the damage and exits with 1; query names it and gives the rest', async () => {
    fill(100, 40);
    fill(10, 1);
    await run();
    const [name = ''] = filesOf('.gz');
    const file = path.join(cwd, 'archive', name);
    const bytes = fs.readFileSync(file);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    fs.writeFileSync(file, bytes);
    const verified = await archive('verify', 'archive', '-o', 'text');
    expect(verified.code).toBe(1);
    expect(verified.stderr).toContain(`damage: ${name}: bytes were changed`);
    const asked = await treeline(['query', '-o', 'jsonl', 'logs.db'], { cwd });
    expect(objects(asked.stdout)).toHaveLength(10);
    expect(asked.stderr).toContain('100 archived rows from ');
  });

  test('what is counted is of the store alone, and says so where the archive has rows of these times', async () => {
    fill(40, 40);
    fill(20, 1);
    await run();
    const counted = await treeline(['query', '-o', 'jsonl', '| count', 'logs.db'], { cwd });
    expect(objects(counted.stdout)).toEqual([{ count: 20 }]);
    expect(counted.stderr).toContain('this is about the store alone: its archive has 1 file of these times');
    expect(await treeline(['query', '-o', 'jsonl', '-S', '2d', '| count', 'logs.db'], { cwd })).toMatchObject(
      {
        code: 0,
        stderr: '',
      },
    );
  });

  test('tells a second archiver who is at work, and exits with 75', async () => {
    fill(100, 40);
    const lease = acquireArchiveLease(path.join(cwd, 'logs.db'));
    const second = await run();
    lease.release();
    expect(second).toMatchObject({ code: 75, stdout: '' });
    expect(second.stderr).toContain(`logs.db is being archived by process ${process.pid} on `);
    expect(await run()).toMatchObject({ code: 0, stderr: '' });
  });

  test('runs by the schedule of a config while the pipeline logs, and reports nothing but faults', async () => {
    const config = writeConfig(cwd, {
      streams: [{ name: 'store', type: 'sqlite', path: 'logs.db' }],
      archive: { olderThan: '30d', to: 'archive', schedule: '* * * * * *' },
    });
    const child = startTreeline(['run', '-c', config], { cwd });
    const write = (msg: string, timeMs: number): void =>
      void child.stdin.write(`${JSON.stringify({ level: 30, time: timeMs, msg })}\n`);
    for (let n = 0; n < 50; n++) write(`old ${n}`, Date.now() - 40 * DAY_MS + n);
    write('new', Date.now());
    await vi.waitFor(() => expect(filesOf('.head.json')).toHaveLength(1), { timeout: 60_000, interval: 50 });
    await vi.waitFor(
      () => {
        const reader = openLogReader(path.join(cwd, 'logs.db'));
        const count = reader.count();
        reader.close();
        expect(count).toBe(1);
      },
      { timeout: 60_000, interval: 50 },
    );
    child.stdin.end();
    expect(await finish(child)).toMatchObject({ code: 0, stderr: '' });
    expect(await archive('verify', 'archive')).toMatchObject({ code: 0 });
    const asked = await treeline(['query', '-n', 'all', '-o', 'jsonl', 'logs.db'], { cwd });
    expect(objects(asked.stdout)).toHaveLength(51);
  });

  test('a run that was missed is made up for at the start', async () => {
    fill(20, 40);
    const store = openLogStore(path.join(cwd, 'logs.db'));
    store.meta.set('archive_last_run', String(Date.now() - 2 * DAY_MS));
    store.close();
    const config = writeConfig(cwd, {
      streams: [{ name: 'store', type: 'sqlite', path: 'logs.db' }],
      archive: { olderThan: '30d', to: 'archive' },
    });
    const child = startTreeline(['run', '-c', config], { cwd });
    child.stdin.write('{"level":30,"msg":"first"}\n');
    await vi.waitFor(() => expect(filesOf('.head.json')).toHaveLength(1), { timeout: 60_000, interval: 50 });
    child.stdin.end();
    expect(await finish(child)).toMatchObject({ code: 0, stderr: '' });
  });
});

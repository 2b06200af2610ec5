import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { openLogStore, type LogEntry } from '@treeline/sqlite';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { collect, startTreeline, treeline, type Finished } from './command.ts';
import { scratchFolder } from './program.ts';

const HOUR_MS = 3_600_000;

let cwd = '';
let nowMs = 0;

beforeAll(() => {
  const folder = scratchFolder();
  cwd = folder.path;
  nowMs = Date.now();
  fill('logs.db', [
    { source: 'api', type: 'http', refId: 'o-1', level: 30, ts: nowMs - 3 * HOUR_MS, msg: 'GET /orders' },
    {
      source: 'api',
      type: 'http',
      refId: 'o-2',
      level: 50,
      ts: nowMs - 2 * HOUR_MS,
      msg: 'Timeout of upstream',
    },
    { source: 'worker', level: 40, ts: nowMs - HOUR_MS, msg: 'retrying', payload: { attempt: 2 } },
    { source: 'worker', level: 60, ts: nowMs - 1000, msg: 'gave up \u001b[31mred' },
  ]);
  fs.mkdirSync(path.join(cwd, 'data'));
  fill('data/logs.db', [{ source: 'default', level: 30, msg: 'of the default store' }]);
  fill(
    'many.db',
    Array.from({ length: 2500 }, (_, n) => ({
      source: 'many',
      level: 30,
      ts: 1_790_000_000_000 + n,
      msg: `m${n}`,
    })),
  );
  return () => folder[Symbol.dispose]();
});

function fill(name: string, entries: LogEntry[]): void {
  const store = openLogStore(path.join(cwd, name));
  store.append(entries);
  store.close();
}

const query = (...args: string[]): Promise<Finished> => treeline(['query', ...args], { cwd });

const messages = (stdout: string): unknown[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { msg: unknown }).msg);

describe('treeline query', () => {
  test.each([
    [
      ['--source', 'api'],
      ['GET /orders', 'Timeout of upstream'],
    ],
    [['--type', 'http', '--level', 'error'], ['Timeout of upstream']],
    [['--ref', 'o-1'], ['GET /orders']],
    [
      ['-l', '40'],
      ['Timeout of upstream', 'retrying', 'gave up \u001b[31mred'],
    ],
    [['-l', 'ERROR', '--source', 'worker'], ['gave up \u001b[31mred']],
    [['--grep', 'TIMEOUT'], ['Timeout of upstream']],
    [
      ['--since', '90m'],
      ['retrying', 'gave up \u001b[31mred'],
    ],
    [['--since', '150 min ago', '--until', '90 min ago'], ['Timeout of upstream']],
    [['--until', '-2h30m'], ['GET /orders']],
    [['--since', 'tomorrow'], []],
    [['-n', '1'], ['gave up \u001b[31mred']],
    [
      ['-n', '2', '--reverse'],
      ['gave up \u001b[31mred', 'retrying'],
    ],
    [
      ['-n', 'all', '-r', '--source', 'api'],
      ['Timeout of upstream', 'GET /orders'],
    ],
  ])('%j selects and orders', async (args, expected) => {
    const { code, stdout, stderr } = await query('-o', 'jsonl', ...args, 'logs.db');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(messages(stdout)).toEqual(expected);
  });

  test.each([
    ['level>=error', ['Timeout of upstream', 'gave up \u001b[31mred']],
    ['source:api -timeout', ['GET /orders']],
    ['since:90m', ['retrying', 'gave up \u001b[31mred']],
    ['attempt>1', ['retrying']],
    ['ref in @refs.txt', ['GET /orders', 'Timeout of upstream']],
    ['"of upstream" or attempt=2', ['Timeout of upstream', 'retrying']],
    ['', ['GET /orders', 'Timeout of upstream', 'retrying', 'gave up \u001b[31mred']],
  ])('answers %j', async (text, expected) => {
    fs.writeFileSync(path.join(cwd, 'refs.txt'), 'o-1\no-2\r\n\n');
    const { code, stdout, stderr } = await query('-o', 'jsonl', text, 'logs.db');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(messages(stdout)).toEqual(expected);
  });

  test('takes a single argument for the store where there is one of that name, else for the text', async () => {
    expect(messages((await query('-o', 'jsonl', 'many.db', '-n', '1')).stdout)).toEqual(['m2499']);
    expect(messages((await query('-o', 'jsonl', 'default')).stdout)).toEqual(['of the default store']);
    expect(messages((await query('-o', 'jsonl', '-q', 'many.db')).stdout)).toEqual([]);
    expect(messages((await query('-o', 'jsonl', '-q', 'm42', 'many.db')).stdout)).toHaveLength(11);
  });

  test('goes on behind a cursor', async () => {
    const page = async (...args: string[]): Promise<{ found: unknown[]; cursor: string }> => {
      const { stdout, stderr } = await query(
        '-o',
        'jsonl',
        '-n',
        '1000',
        '--show-cursor',
        ...args,
        'many.db',
      );
      return { found: messages(stdout), cursor: /^treeline: cursor: (\S+)$/m.exec(stderr)?.[1] ?? '' };
    };
    const newest = await page('-r');
    expect([newest.found[0], newest.found.at(-1)]).toEqual(['m2499', 'm1500']);
    const before = await page('-r', '--cursor', newest.cursor);
    expect([before.found[0], before.found.at(-1)]).toEqual(['m1499', 'm500']);
    const again = await page('--cursor', before.cursor);
    expect([again.found[0], again.found.at(-1)]).toEqual(['m501', 'm1500']);
    expect((await query('--cursor', 'nonsense', 'many.db')).code).toBe(2);
  });

  test('turns the order of more rows than it holds', async () => {
    fill(
      'more.db',
      Array.from({ length: 12_000 }, (_, n) => ({
        source: 's',
        level: 30,
        ts: 1_790_000_000_000 + n,
        msg: `m${n}`,
      })),
    );
    const found = messages((await query('-o', 'jsonl', '-n', '11000', 'more.db')).stdout);
    expect([found.length, found[0], found.at(-1)]).toEqual([11_000, 'm1000', 'm11999']);
  });

  test('follows a store: the newest ten, then what is written, each once', async () => {
    fill(
      'live.db',
      Array.from({ length: 20 }, (_, n) => ({
        source: n % 2 ? 'odd' : 'even',
        level: 30,
        ts: nowMs + n,
        msg: `m${n}`,
      })),
    );
    const child = startTreeline(['query', '-f', '-o', 'jsonl', 'source:odd', 'live.db'], { cwd });
    const stdout = collect(child.stdout);
    await vi.waitFor(() => expect(messages(stdout.text)).toHaveLength(10), { timeout: 20_000 });
    fill('live.db', [
      { source: 'even', level: 30, msg: 'not asked for' },
      { source: 'odd', level: 30, ts: nowMs - HOUR_MS, msg: 'late' },
    ]);
    await vi.waitFor(() => expect(messages(stdout.text)).toHaveLength(11), { timeout: 20_000 });
    expect(messages(stdout.text)).toEqual([...Array.from({ length: 10 }, (_, n) => `m${2 * n + 1}`), 'late']);
    child.kill('SIGINT');
    await once(child, 'close');
    expect(child.signalCode).toBe('SIGINT');
  });

  test('reads data/logs.db where no store is named', async () => {
    expect(messages((await query('-o', 'jsonl')).stdout)).toEqual(['of the default store']);
  });

  test('prints for people by default: dates, levels, and no control character of the log', async () => {
    const { code, stdout } = await query('--utc', 'logs.db');
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z .*INFO .*GET \/orders/);
    expect(stdout).not.toContain('\u001b');
    expect(stdout).toContain('gave up');
  });

  test('prints rows with id, cursor and columns', async () => {
    const { stdout } = await query('-o', 'rows', '--source', 'worker', '-n', '2', 'logs.db');
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows[0]).toMatchObject({
      id: 3,
      cursor: expect.any(String) as string,
      ts: nowMs - HOUR_MS,
      source: 'worker',
      type: 'log',
      refId: null,
      level: 40,
      msg: 'retrying',
      payload: { attempt: 2 },
    });
    expect(rows[0]).not.toHaveProperty('record');
    expect(rows[0]).not.toHaveProperty('line');
  });

  test('prints the newest thousand, oldest first, and tells that there are more', async () => {
    const { code, stdout, stderr } = await query('-o', 'jsonl', 'many.db');
    expect(code).toBe(0);
    const found = messages(stdout);
    expect([found.length, found[0], found.at(-1)]).toEqual([1000, 'm1500', 'm2499']);
    expect(stderr).toBe(
      'treeline: these are the newest 1000 records; there are more: -n <number> or -n all prints them\n',
    );
  });

  test.each([
    ['2500', 2500],
    ['1000', 1000],
    ['all', 2500],
  ])('prints -n %s without a notice', async (limit, count) => {
    const { stdout, stderr } = await query('-o', 'jsonl', '-n', limit, 'many.db');
    expect({ count: messages(stdout).length, stderr }).toEqual({ count, stderr: '' });
  });

  test('exits 0 when nothing matched, and 1 with --exit-code', async () => {
    expect(await query('--source', 'nobody', 'logs.db')).toMatchObject({ code: 0, stdout: '' });
    expect(await query('--exit-code', '--source', 'nobody', 'logs.db')).toMatchObject({
      code: 1,
      stdout: '',
    });
    expect(await query('--exit-code', '--source', 'api', 'logs.db')).toMatchObject({ code: 0 });
  });

  test.each([
    ['a store that is missing', 'missing.db', 'missing.db does not exist'],
    ['a folder without logs', 'data', 'data holds no log files'],
    ['a file that is no database', 'text.db', 'text.db is not a SQLite database'],
    ['a file of nothing', 'empty.db', 'empty.db is an empty database'],
  ])('refuses %s with exit 66 and says what to do', async (_, store, message) => {
    fs.writeFileSync(
      path.join(cwd, 'text.db'),
      'no database at all, but long enough for a header '.repeat(30),
    );
    fs.writeFileSync(path.join(cwd, 'empty.db'), '');
    const { code, stdout, stderr } = await query(store);
    expect({ code, stdout, stderr }).toMatchObject({ code: 66, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^treeline: \\S*${message}`));
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(fs.existsSync(path.join(cwd, 'missing.db'))).toBe(false);
  });

  test('ends quietly when its reader goes away', async () => {
    const child = startTreeline(['query', '-n', 'all', '-o', 'rows', 'many.db'], { cwd });
    const stderr = collect(child.stderr);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    await once(child, 'close');
    expect({ code: child.exitCode, stderr: stderr.text }).toEqual({ code: 0, stderr: '' });
  });
});

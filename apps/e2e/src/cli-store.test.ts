import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { openLogStore, type LogEntry } from '@treeline/sqlite';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { collect, finish, startTreeline, treeline, type Finished } from './command.ts';
import { scratchFolder } from './program.ts';

/* What the command line tells about a store beside its records: tables, overviews, stories, condition. */

const T0 = Date.UTC(2026, 2, 4, 12);
const TRACE = 'a'.repeat(32);

let cwd = '';

beforeAll(() => {
  const folder = scratchFolder();
  cwd = folder.path;
  fill(
    'logs.db',
    Array.from({ length: 12 }, (_, n): LogEntry => ({
      source: n % 3 === 0 ? 'worker' : 'api',
      type: 'http',
      level: n % 4 === 0 ? 'error' : 'info',
      ts: T0 + n * 60_000,
      msg: `request ${n}`,
      payload: { ms: n * 10, req: { url: `/v${n % 2}` } },
    })),
  );
  fill('orders.db', orders());
  fill(
    'large.db',
    Array.from({ length: 30_000 }, (_, n) => ({ source: 's', ts: T0 + n, payload: { n } })),
  );
  return () => folder[Symbol.dispose]();
});

function fill(name: string, entries: LogEntry[]): void {
  const store = openLogStore(path.join(cwd, name));
  store.append(entries);
  store.close();
}

/** One order over two services: a request, a charge within it, and a late note without a trace. */
function orders(): LogEntry[] {
  const [request, charge] = ['1'.repeat(16), '2'.repeat(16)];
  const inRequest = { traceId: TRACE, spanId: request };
  const inCharge = { traceId: TRACE, spanId: charge, parentSpanId: request };
  const span = (op: string, name: string, end: object = {}): object => ({ span: { op, name, ...end } });
  return [
    {
      source: 'api',
      ts: T0,
      level: 'debug',
      ...inRequest,
      msg: 'open',
      payload: { ...span('open', 'POST /orders') },
    },
    { source: 'api', ts: T0 + 1, type: 'order.created', refId: 'ord_1', ...inRequest, msg: 'created' },
    {
      source: 'pay',
      ts: T0 + 2,
      level: 'debug',
      ...inCharge,
      msg: 'open',
      payload: { ...span('open', 'charge') },
    },
    {
      source: 'pay',
      ts: T0 + 3,
      level: 'warn',
      refId: 'ord_1',
      ...inCharge,
      msg: 'card\u001b[31m slow',
      payload: { amount: 5 },
    },
    {
      source: 'pay',
      ts: T0 + 20,
      level: 'debug',
      ...inCharge,
      msg: 'close',
      payload: { ...span('close', 'charge', { duration_ns: 18_000_000, status: 'ok' }) },
    },
    { source: 'other', ts: T0 + 21, refId: 'ord_2', msg: 'not of this order' },
    { source: 'mail', ts: T0 + 5000, type: 'mail.sent', refId: 'ord_1', msg: 'sent' },
  ];
}

const run = (...args: string[]): Promise<Finished> => treeline(args, { cwd });

const jsonLines = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

describe('treeline query with stages', () => {
  test.each([
    ['| count', [{ count: 12 }]],
    [
      'level>=error | count by source | sort count desc',
      [
        { source: 'api', count: 2 },
        { source: 'worker', count: 1 },
      ],
    ],
    ['source=api | stats p50(ms), max(ms) as slowest', [{ 'p50(ms)': 50, slowest: 110 }]],
    [
      '| hist 6m by level | limit 2',
      [
        { ts: T0, level: 30, count: 4 },
        { ts: T0, level: 50, count: 2 },
      ],
    ],
    ['| top 1 req.url', [{ 'req.url': '/v0', count: 6 }]],
    [
      'ms>=100 | fields msg, ms | sort ms',
      [
        { msg: 'request 10', ms: 100 },
        { msg: 'request 11', ms: 110 },
      ],
    ],
  ])('answers %j', async (text, expected) => {
    const { code, stdout, stderr } = await run('query', '-o', 'jsonl', text, 'logs.db');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(jsonLines(stdout)).toEqual(expected);
  });

  test('lays the table out for people', async () => {
    const { stdout } = await run('query', '--utc', '| hist 6m by level | sort count | limit 1', 'logs.db');
    expect(stdout).toBe('ts                    level  count\n2026-03-04 12:06:00Z  error      1\n');
  });

  test('prints records where the stages have only chosen them: the lines as they were logged', async () => {
    const { stdout } = await run('query', '-o', 'jsonl', '"request 6" | context 1,1', 'logs.db');
    expect(jsonLines(stdout)).toMatchObject([
      { msg: 'request 3' },
      { msg: 'request 6' },
      { msg: 'request 9' },
    ]);
    const pretty = await run('query', '--utc', '| sort ms desc | limit 1', 'logs.db');
    expect(pretty.stdout).toMatch(/^2026-03-04T12:11:00\.000Z INFO .*request 11/);
  });

  test('heeds the other conditions, and says what goes with records alone', async () => {
    const { stdout } = await run(
      'query',
      '-l',
      'error',
      '--source',
      'api',
      '-o',
      'jsonl',
      '| count',
      'logs.db',
    );
    expect(jsonLines(stdout)).toEqual([{ count: 2 }]);
    for (const flag of ['-f', '-r', '--show-cursor']) {
      const { code, stderr } = await run('query', flag, '| count', 'logs.db');
      expect({ code, stderr }).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('single records') as string,
      });
    }
  });

  test('tells when only the newest records were looked at', async () => {
    const { stdout, stderr } = await run('query', '-o', 'jsonl', '| fields n', 'large.db');
    expect(jsonLines(stdout)).toHaveLength(1000);
    expect(stderr).toContain('only the newest 1000 records were looked at, and there are more');
  });

  test('exits 1 with --exit-code when nothing matched', async () => {
    expect(await run('query', '--exit-code', 'level=5 | count by source', 'logs.db')).toMatchObject({
      code: 1,
    });
  });
});

describe('a query that takes long', () => {
  /** One statement that no window cuts: thousands of comparisons for each of 30 000 rows. */
  const slow = `${Array.from({ length: 6000 }, (_, n) => `n=-${n + 9}`).join(' or ')} | count`;

  test('is killed at its time limit, and says so', async () => {
    const { code, stdout, stderr } = await run('query', '--timeout', '100ms', slow, 'large.db');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      'treeline: the query took longer than 100ms and was ended; narrow it by --since or raise --timeout\n',
    );
  });

  test('is killed by Ctrl-C, and nothing of it is left running', async () => {
    const child = startTreeline(['query', slow, 'large.db'], { cwd });
    const finished = finish(child);
    const children = `/proc/${child.pid}/task/${child.pid}/children`;
    await vi.waitFor(() => expect(fs.readFileSync(children, 'utf8')).not.toBe(''), { timeout: 20_000 });
    child.kill('SIGINT');
    // Its output closes only when the process that worked has ended too.
    expect(await finished).toMatchObject({ signal: 'SIGINT', stdout: '' });
  });

  test('over records prints what it has found when the time is up, with exit 1', async () => {
    const { code, stdout, stderr } = await run(
      'query',
      '--timeout',
      '1ms',
      '-n',
      'all',
      '-o',
      'jsonl',
      'large.db',
    );
    expect(code).toBe(1);
    expect(jsonLines(stdout).length).toBeGreaterThan(0);
    expect(stderr).toBe(
      'treeline: ended after 1ms: not all was looked at; narrow it by --since, or raise --timeout\n',
    );
  });
});

test('treeline tail prints the newest, then what is written, and tells the cursor when it is ended', async () => {
  fill(
    'live.db',
    Array.from({ length: 20 }, (_, n) => ({ source: 's', ts: T0 + n, msg: `m${n}` })),
  );
  const child = startTreeline(['tail', '-n', '2', '-o', 'jsonl', '--show-cursor', 'live.db'], { cwd });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  await vi.waitFor(() => expect(jsonLines(stdout.text)).toHaveLength(2), { timeout: 20_000 });
  fill('live.db', [{ source: 's', msg: 'written now' }]);
  await vi.waitFor(() => expect(jsonLines(stdout.text)).toHaveLength(3), { timeout: 20_000 });
  child.kill('SIGINT');
  await once(child, 'close');
  expect(child.signalCode).toBe('SIGINT');
  expect(jsonLines(stdout.text)).toMatchObject([{ msg: 'm18' }, { msg: 'm19' }, { msg: 'written now' }]);
  const cursor = /^treeline: cursor: (\S+)$/m.exec(stderr.text)?.[1] ?? '';
  fill('live.db', [{ source: 's', msg: 'while away' }]);
  const again = startTreeline(['tail', '--cursor', cursor, '-o', 'jsonl', 'live.db'], { cwd });
  const found = collect(again.stdout);
  await vi.waitFor(() => expect(jsonLines(found.text)).toMatchObject([{ msg: 'while away' }]), {
    timeout: 20_000,
  });
  again.kill('SIGINT');
  await once(again, 'close');
});

describe('treeline stats', () => {
  test('tells what was counted where the time was too short to find the first and the last record', async () => {
    fill(
      'crowd.db',
      Array.from({ length: 60_000 }, (_, n) => ({
        source: 'crowd',
        ts: T0 + n,
        msg: n === 30_000 ? 'needle' : 'hay',
      })),
    );
    const { code, stdout, stderr } = await run('stats', '--timeout', '1ms', 'needle', 'crowd.db');
    expect({ code, stdout, stderr }).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^1 records\n/) as string,
      stderr: expect.stringMatching(/not all was counted/) as string,
    });
  });

  test('tells how many records there are by level, source, type and time', async () => {
    const { code, stdout } = await run('stats', '--utc', '--step', '6m', '--top', 'req.url', 'logs.db');
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        '12 records from 2026-03-04 12:00:00Z to 2026-03-04 12:11:00Z',
        'level   info 9, error 3',
        'source  api 8, worker 4',
        'type    http 12',
        '',
        'ts                    records  errors  each 6m',
        `2026-03-04 12:00:00Z        6       2  ${'█'.repeat(40)}`,
        `2026-03-04 12:06:00Z        6       1  ${'█'.repeat(40)}`,
        '',
        'req.url  records',
        '/v0            6',
        '/v1            6',
        '',
      ].join('\n'),
    );
  });

  test('counts what a condition leaves, also as JSON', async () => {
    const { stdout } = await run('stats', '-o', 'json', 'source=api level>=error', 'logs.db');
    expect(JSON.parse(stdout)).toMatchObject({
      count: 2,
      levels: { 50: 2 },
      sources: [{ value: 'api', count: 2 }],
      complete: true,
    });
    expect((await run('stats', 'level=5', 'logs.db')).stdout).toBe('no records\n');
  });
});

describe('treeline ref', () => {
  test('tells the story of an object over its sources as a tree', async () => {
    const { code, stdout } = await run('ref', '--utc', 'ord_1', 'orders.db');
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        'ord_1: 6 records of 3 sources, 2026-03-04 12:00:00Z to 2026-03-04 12:00:05Z (5s)',
        '                               ├─ ▸ POST /orders  api',
        '2026-03-04 12:00:00Z     DEBUG │  ├─ api  open',
        '2026-03-04 12:00:00.001Z INFO  │  ├─ api order.created  created',
        '                               │  └─ ▸ charge  pay  18ms ok',
        '2026-03-04 12:00:00.002Z DEBUG │     ├─ pay  open',
        String.raw`2026-03-04 12:00:00.003Z WARN  │     ├─ pay  card\u001b[31m slow  amount=5`,
        '2026-03-04 12:00:00.020Z DEBUG │     └─ pay  close',
        '2026-03-04 12:00:05Z     INFO  └─ mail mail.sent  sent',
        '',
      ].join('\n'),
    );
  });

  test('prints the lines as they were logged, in order', async () => {
    const { stdout } = await run('ref', '-o', 'jsonl', 'ord_1', 'orders.db');
    expect(jsonLines(stdout).map((line) => (line as { msg: string }).msg)).toEqual([
      'open',
      'created',
      'open',
      'card\u001b[31m slow',
      'close',
      'sent',
    ]);
  });

  test('says when there is nothing', async () => {
    expect(await run('ref', 'ord_9', 'orders.db')).toMatchObject({
      code: 0,
      stdout: 'no records of ord_9\n',
    });
    expect(await run('ref', '--exit-code', 'ord_9', 'orders.db')).toMatchObject({ code: 1 });
  });
});

describe('treeline doctor', () => {
  test('tells what takes space, and that nothing is amiss', async () => {
    const { code, stdout } = await run('doctor', '--utc', '--check', 'logs.db');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^logs\.db: 12 records from 2026-03-04 12:00:00Z to 2026-03-04 12:11:00Z\n/);
    expect(stdout).toMatch(/^logs_ts +4K +\d+%$/m);
    expect(stdout).toMatch(/^api +http +8$/m);
    expect(stdout).toMatch(/\nnothing is amiss\n$/);
  });

  test('finds a damaged page with --check, with exit 1', async () => {
    fill(
      'damaged.db',
      Array.from({ length: 2000 }, (_, n) => ({ source: 's', ts: T0, msg: `m${n}`.repeat(20) })),
    );
    const file = fs.openSync(path.join(cwd, 'damaged.db'), 'r+');
    fs.writeSync(file, Buffer.alloc(4096, 0xff), 0, 4096, 4096 * 20);
    fs.closeSync(file);
    const { code, stdout } = await run('doctor', '--check', '-o', 'json', 'damaged.db');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      findings: [
        { severity: 'error', message: expect.stringMatching(/damaged\.db is damaged.*\.recover/) as string },
      ],
    });
  });
});

test('a URL that nobody can read yet is refused with what can', async () => {
  const { code, stderr } = await run('query', '', 'https://logs.example/');
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr:
      "treeline: https://logs.example/ can't be read: of URLs only file:// is supported so far; name the path of a store, such as data/logs.db, or of log files\n",
  });
  const url = `file://${path.join(cwd, 'logs.db')}`;
  expect(jsonLines((await run('query', '-o', 'jsonl', '| count', url)).stdout)).toEqual([{ count: 12 }]);
});

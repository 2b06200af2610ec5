import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LogRecord } from '@treeline/contract';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { treeline, writeConfig } from './command.ts';
import { count, numbersIn, programFile, readRecords, runProgram, scratchFolder } from './program.ts';

interface Listing {
  readonly logs: readonly {
    readonly logId: string;
    readonly owner: string;
    readonly service: string;
    readonly streams: readonly {
      readonly streamKey: string;
      readonly records: number;
      readonly bytes: number;
      readonly cursor: number;
      readonly known: boolean;
    }[];
  }[];
  readonly deadLetters: readonly {
    readonly streamKey: string;
    readonly records: number;
    readonly reasons: object;
  }[];
}

const FILE = { name: 'file', type: 'file', path: 'out.log' };
const DURABLE = { serviceName: 'spooled', durability: 'process', streams: [FILE] };

async function list(cwd: string): Promise<Listing> {
  const listed = await treeline(['spool', 'ls', '-c', 'config.json', '-o', 'json'], { cwd });
  expect(listed.code, listed.stderr).toBe(0);
  return JSON.parse(listed.stdout) as Listing;
}

/** Leaves the records 0 to 99 in a log whose process is dead. */
async function leaveRecords(config: object, cwd: string): Promise<void> {
  const env = { TREELINE_FAILPOINT: 'append-after:100' };
  const ended = await runProgram('logs-until-killed.mjs', [JSON.stringify(config), '0'], { cwd, env });
  expect(ended.signal, ended.stderr).toBe('SIGKILL');
}

test('treeline spool shows what a dead process left, prints it, and delivers it once', async () => {
  using folder = scratchFolder();
  const { path: cwd } = folder;
  writeConfig(cwd, DURABLE);
  await leaveRecords(DURABLE, cwd);

  const [log, ...others] = (await list(cwd)).logs;
  expect(others).toEqual([]);
  expect(log).toMatchObject({ owner: 'dead', service: 'spooled' });
  const [stream] = log?.streams ?? [];
  expect(stream).toMatchObject({ records: 100 - (stream?.cursor ?? NaN), known: true });
  const people = await treeline(['spool', 'ls', '-c', 'config.json'], { cwd });
  expect(people.stdout.replace(/[0-9a-f]{16,}|pid \d+|\d{4}-\d\d-\d\dT[\d:.]+Z|[\d.]+K/g, '…'))
    .toBe(`log … of spooled: its process is dead (…), since …, … in 1 segment
  file@…  100 records to come (…)
`);

  const all = await treeline(['spool', 'cat', log?.logId.slice(0, 20) ?? '', '-c', 'config.json'], { cwd });
  const lines = all.stdout.trimEnd().split('\n');
  expect(numbersIn(lines.map((line) => JSON.parse(line) as LogRecord))).toEqual(count(0, 100));
  const rest = await treeline(
    ['spool', 'cat', '-c', 'config.json', '--cursor', '98', '--show-cursor', '-o', 'rows'],
    { cwd },
  );
  expect(
    rest.stdout
      .trimEnd()
      .split('\n')
      .map((row) => (JSON.parse(row) as { seq: number }).seq),
  ).toEqual([99, 100]);
  expect(rest.stderr).toContain('cursor: 100');

  const drained = await treeline(['spool', 'drain', '-c', 'config.json'], { cwd });
  expect(drained).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('file: 100 delivered') as string,
  });
  expect(numbersIn(readRecords(join(cwd, 'out.log')))).toEqual(count(0, 100));
  expect(await list(cwd)).toMatchObject({ logs: [], deadLetters: [] });
  const again = await treeline(['spool', 'drain', '-c', 'config.json'], { cwd });
  expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('left anything') as string });
  expect(numbersIn(readRecords(join(cwd, 'out.log')))).toEqual(count(0, 100));
});

test('treeline spool drain sends nothing to a stream with another destination, and keeps it', async () => {
  using folder = scratchFolder();
  const { path: cwd } = folder;
  await leaveRecords(DURABLE, cwd);
  writeConfig(cwd, { ...DURABLE, streams: [{ ...FILE, path: 'other.log' }] });
  const drained = await treeline(['spool', 'drain', '-c', 'config.json'], { cwd });
  expect(drained.code, drained.stderr).toBe(0);
  expect(drained.stderr).toMatch(/keeps 100 records for file@\w+: no stream of this config/);
  expect(readRecords(join(cwd, 'other.log'))).toEqual([]);
  expect((await list(cwd)).logs[0]?.streams[0]).toMatchObject({ records: 100, known: false });
});

test('treeline spool drain that can not deliver says what is left, and exits with 1', async () => {
  using folder = scratchFolder();
  const { path: cwd } = folder;
  const config = { ...DURABLE, streams: [{ name: 'db', type: 'sqlite', path: 'logs.db' }] };
  writeConfig(cwd, config);
  await treeline(['run', '-c', 'config.json'], { cwd, input: '{"level":30,"msg":"first"}\n' });
  const db = new Database(join(cwd, 'logs.db'));
  db.exec('BEGIN EXCLUSIVE');
  await leaveRecords(config, cwd);
  const drained = await treeline(['spool', 'drain', '-c', 'config.json', '--timeout', '500ms'], { cwd });
  expect(drained.code, drained.stderr).toBe(1);
  expect(drained.stderr).toMatch(/keeps 100 records for db@/);
  db.exec('ROLLBACK');
  db.close();
  const second = await treeline(['spool', 'drain', '-c', 'config.json'], { cwd });
  expect(second).toMatchObject({ code: 0, stderr: expect.stringContaining('db: 100 delivered') as string });
});

test('treeline spool leaves the log of a living process alone', async () => {
  using folder = scratchFolder();
  const { path: cwd } = folder;
  writeConfig(cwd, DURABLE);
  const child = spawn(
    process.execPath,
    [programFile('logs-until-killed.mjs'), JSON.stringify(DURABLE), '0'],
    {
      cwd,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  try {
    await once(child.stdout, 'data');
    child.kill('SIGSTOP');
    expect((await list(cwd)).logs).toMatchObject([{ owner: 'live' }]);
    const drained = await treeline(['spool', 'drain', '-c', 'config.json'], { cwd });
    expect(drained).toMatchObject({ code: 0, stderr: expect.stringContaining('left anything') as string });
    expect((await list(cwd)).logs).toMatchObject([{ owner: 'live' }]);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});

test('treeline spool replay sends dead letters again, once their destination takes them, and to no other', async () => {
  using folder = scratchFolder();
  const { path: cwd } = folder;
  const db = { name: 'db', type: 'sqlite', path: 'logs.db' };
  const config = { serviceName: 'spooled', streams: [db] };
  writeConfig(cwd, config);
  const replay = (): ReturnType<typeof treeline> =>
    treeline(['spool', 'replay', '-c', 'config.json'], { cwd });
  await treeline(['run', '-c', 'config.json'], { cwd, input: '{"level":30,"msg":"first"}\n' });
  const store = new Database(join(cwd, 'logs.db'));
  store.exec(`CREATE TRIGGER odd BEFORE INSERT ON logs WHEN NEW.msg LIKE 'odd%'
              BEGIN SELECT RAISE(ABORT, 'no odd ones'); END`);
  const input = ['odd 1', 'even', 'odd 2'].map((msg) => `{"level":30,"msg":"${msg}"}\n`).join('');
  await treeline(['run', '-c', 'config.json'], { cwd, input });
  const stored = (): unknown[] => store.prepare('SELECT msg FROM logs ORDER BY id').pluck().all();
  expect(stored()).toEqual(['first', 'even']);

  expect((await list(cwd)).deadLetters).toMatchObject([{ records: 2, reasons: { 'no odd ones': 2 } }]);
  const letters = await treeline(['spool', 'cat', '--dead-letters', '--stream', 'db', '-c', 'config.json'], {
    cwd,
  });
  expect(letters.stdout).toBe('{"level":30,"msg":"odd 1"}\n{"level":30,"msg":"odd 2"}\n');

  const refused = await replay();
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('2 refused again, and kept') as string,
  });
  expect((await list(cwd)).deadLetters).toMatchObject([{ records: 2 }]);

  store.exec('DROP TRIGGER odd');
  writeConfig(cwd, { ...config, streams: [{ ...db, path: 'other.db' }] });
  const stranger = await replay();
  expect(stranger).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('its dead letters stay') as string,
  });

  writeConfig(cwd, config);
  const replayed = await replay();
  expect(replayed).toMatchObject({ code: 0, stderr: expect.stringContaining('db: 2 delivered') as string });
  expect(stored()).toEqual(['first', 'even', 'odd 1', 'odd 2']);
  store.close();
  expect(await list(cwd)).toMatchObject({ logs: [], deadLetters: [] });
  expect(await replay()).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('no dead letters') as string,
  });
});

test.each([
  [['cat', 'nope'], 66, 'no log begins with "nope"'],
  [['cat', '--dead-letters', '--stream', 'nope'], 2, 'nothing is kept for a stream "nope"'],
  [['replay', '--stream', 'nope'], 2, 'nothing is kept for a stream "nope"'],
  [['drain', '--timeout', 'soon'], 2, '--timeout: duration must be'],
  [['ls', '-o', 'xml'], 2, 'Allowed choices are text, json'],
])('treeline spool %j exits with %d and says why', async (args, code, message) => {
  using folder = scratchFolder();
  writeConfig(folder.path, DURABLE);
  const ended = await treeline(['spool', ...args, '-c', 'config.json'], { cwd: folder.path });
  expect(ended).toMatchObject({ code, stderr: expect.stringContaining(message) as string });
});

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { adoptLogs, listLogs } from './adoption.ts';
import { parseObject } from './json-object.ts';
import { createLog } from './log-writer.ts';
import { probeOwner } from './owner.ts';
import { ownIdentity } from './process-identity.ts';

const program = fileURLToPath(new URL('../fixtures/crash.mjs', import.meta.url));
const service = 'crash';

let root: string;
let stateDirectory: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spool-owner-'));
  stateDirectory = join(root, '.treeline');
});
afterEach(async () => {
  for (const child of children.splice(0)) await end(child);
  rmSync(root, { recursive: true, force: true });
});

test('a living process keeps its log, and loses it to an adopter once it is killed', async () => {
  const child = await start('own');
  expect(await states()).toEqual(['live']);
  expect((await adoptLogs({ stateDirectory, service })).logs).toEqual([]);
  await end(child);
  expect(await states()).toEqual(['dead']);
  const { logs } = await adoptLogs({ stateDirectory, service });
  expect(logs).toHaveLength(1);
  logs[0]?.remove();
});

test('an owner whose event loop is blocked still owns, by its socket alone', async () => {
  await start('own-and-block');
  // Without this the process itself would be found running.
  editIdentity((identity) => ({ ...identity, startTicks: '1' }));
  expect(await states()).toEqual(['live']);
});

test('an owner whose socket is gone still owns while its process runs', async () => {
  await start('own');
  for (const name of ownerFiles('.sock')) rmSync(name);
  expect(await states()).toEqual(['live']);
});

test.each([
  ['another process has its pid now', { pid: process.pid }],
  [
    'the system was started again since',
    { pid: process.pid, startTicks: ownIdentity().startTicks, bootId: 'earlier' },
  ],
  ['it was pid 1 of a container that is gone', { pid: 1, pidNamespace: 'pid:[1]' }],
])('a killed owner is dead although %s', async (_, change) => {
  await end(await start('own'));
  editIdentity((identity) => ({ ...identity, ...change }));
  expect(await states()).toEqual(['dead']);
});

test.each(['', '{', '[]', '{"pid":"x"}', '{"pid":1e400}'])(
  'an identity file that holds %j proves nothing',
  async (text) => {
    await end(await start('own'));
    for (const name of ownerFiles('.json')) writeFileSync(name, text);
    expect(await states()).toEqual(['dead']);
  },
);

test('a log that was closed with records in it may be adopted in the same process', async () => {
  const log = createLog({ stateDirectory, service });
  log.append(0, 1, '{}\n');
  expect((await adoptLogs({ stateDirectory, service })).logs).toEqual([]);
  log.close();
  const { logs } = await adoptLogs({ stateDirectory, service });
  expect(logs.map(({ logId }) => logId)).toEqual([log.logId]);
  logs[0]?.close();
  const again = await adoptLogs({ stateDirectory, service });
  expect(again.logs.map(({ logId }) => logId)).toEqual([log.logId]);
  again.logs[0]?.remove();
});

test('a process that owns a log and has nothing else to do ends', () => {
  const child = spawnSync(process.execPath, [program, 'idle', stateDirectory], {
    timeout: 10_000,
    encoding: 'utf8',
  });
  expect(child.stdout).toBe('idle\n');
  expect(child.status).toBe(0);
});

test('a log whose first line is written while the process exits is whole, and adopted', async () => {
  const child = spawnSync(process.execPath, [program, 'append-in-exit', stateDirectory], {
    encoding: 'utf8',
  });
  expect(child.stdout).toBe('appended\n');
  const { logs } = await adoptLogs({ stateDirectory, service });
  expect(logs).toHaveLength(1);
  logs[0]?.remove();
});

test('a worker of a cluster owns its logs itself', async () => {
  await start('cluster');
  editIdentity((identity) => ({ ...identity, startTicks: '1' }));
  expect(await states()).toEqual(['live']);
});

test('a relative state directory stays where it was when the process changes its own', async () => {
  const before = process.cwd();
  try {
    process.chdir(root);
    const log = createLog({ stateDirectory: 'state', service });
    process.chdir(before);
    expect(log.append(0, 1, '{}\n')).toBe('appended');
    expect(log.directory.startsWith(join(root, 'state'))).toBe(true);
    log.remove();
  } finally {
    process.chdir(before);
  }
});

test('a log is listed with what it holds', async () => {
  const log = createLog({ stateDirectory, service, segmentBytes: 4096 });
  const lines = `${'x'.repeat(99)}\n`.repeat(10);
  for (let seq = 50; seq < 550; seq += 10) log.append(seq, 10, lines);
  expect(await listLogs(stateDirectory)).toMatchObject([
    {
      service,
      logId: log.logId,
      directory: log.directory,
      owner: 'live',
      ownerPid: process.pid,
      bytes: log.bytes,
      firstSeq: 50,
      lastSeq: 549,
      cursors: { state: 'missing' },
    },
  ]);
  log.remove();
  expect(await listLogs(stateDirectory)).toEqual([]);
});

test('a state directory deeper than a socket address can name works as any other', async () => {
  stateDirectory = join(root, 'd'.repeat(90), 'e'.repeat(90), '.treeline');
  mkdirSync(stateDirectory, { recursive: true });
  const child = await start('own');
  expect(ownerFiles('.sock')).toHaveLength(1);
  editIdentity((identity) => ({ ...identity, startTicks: '1' }));
  expect(await states()).toEqual(['live']);
  await end(child);
  expect(await states()).toEqual(['dead']);
});

test('an owner of another boot is left alone where the file system is shared between hosts', async () => {
  await end(await start('own'));
  editIdentity((identity) => ({ ...identity, bootId: 'another host' }));
  const directory = join(stateDirectory, service);
  const id = basename(ownerFiles('.json')[0] ?? '', '.json');
  expect(await probeOwner(directory, id, () => true)).toBe('foreign');
  expect(await probeOwner(directory, id, () => false)).toBe('dead');
});

test('logs of other services are left alone', async () => {
  await end(await start('own'));
  expect((await adoptLogs({ stateDirectory, service: 'other' })).logs).toEqual([]);
  expect(await states()).toEqual(['dead']);
});

test('hundreds of logs made and removed leave no file, and no descriptor, behind', async () => {
  const before = countDescriptors();
  for (let n = 0; n < 200; n++) {
    const log = createLog({ stateDirectory, service });
    log.append(0, 1, '{}\n');
    log.remove();
  }
  // A socket's descriptor goes in the loop's closing phase.
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect(countDescriptors()).toBeLessThanOrEqual(before + 1);
  expect(readdirSync(join(stateDirectory, service), { recursive: true })).toEqual(['owners']);
});

function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

async function start(mode: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, mode, stateDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function states(): Promise<string[]> {
  return (await listLogs(stateDirectory)).map(({ owner }) => owner);
}

function ownerFiles(suffix: string): string[] {
  const directory = join(stateDirectory, service, 'owners');
  return readdirSync(directory)
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(directory, name));
}

function editIdentity(change: (identity: Record<string, unknown>) => Record<string, unknown>): void {
  for (const path of ownerFiles('.json')) {
    const identity = parseObject(readFileSync(path, 'utf8')) ?? {};
    writeFileSync(path, JSON.stringify(change(identity)));
  }
}

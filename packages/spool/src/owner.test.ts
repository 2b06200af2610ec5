import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { adoptLogs, listLogs } from './adoption.ts';
import { parseObject } from './json-object.ts';
import { createLog } from './log-writer.ts';
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

test('logs of other services are left alone', async () => {
  await end(await start('own'));
  expect((await adoptLogs({ stateDirectory, service: 'other' })).logs).toEqual([]);
  expect(await states()).toEqual(['dead']);
});

test('a thousand logs made and removed leave no file, and no descriptor, behind', async () => {
  const before = countDescriptors();
  for (let n = 0; n < 1000; n++) {
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

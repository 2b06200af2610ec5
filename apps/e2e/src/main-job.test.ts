import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { openLogReader } from '@treeline/sqlite';
import { describe, expect, test } from 'vitest';
import { treeline } from './command.ts';
import { readRecords, scratchFolder } from './program.ts';

const DEMO = path.join(
  path.dirname(createRequire(import.meta.url).resolve('@treeline/gateway/package.json')),
  'dist/demo-process.js',
);

type Demo = ChildProcessByStdio<null, Readable, Readable>;

/** What `npm start` runs after its set-up, in a process group of its own, so that whatever it leaves behind can be seen. */
function startDemo(cwd: string): { readonly demo: Demo; readonly output: () => string } {
  const demo = spawn(process.execPath, [DEMO], {
    cwd,
    env: { PATH: process.env['PATH'], FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  return { demo, output: () => output };
}

async function until(isTrue: () => boolean, timeoutMs = 30_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`it did not become true within ${timeoutMs} ms`);
    await delay(50);
  }
}

function isGroupAlive({ pid }: Demo): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the main job', () => {
  test('shows the log as it flows, ends with what it read back, and every command that it names works', async () => {
    using folder = scratchFolder();
    const { demo, output } = startDemo(folder.path);
    await once(demo, 'close');
    const text = output();
    expect(demo.exitCode, text).toBe(0);
    expect(isGroupAlive(demo)).toBe(false);
    expect(text).not.toMatch(/^treeline: /mu);

    const file = readRecords(path.join(folder.path, 'logs/gateway.log'));
    expect(file.length).toBeGreaterThan(100);
    expect(text.split('\n').filter((line) => / (?:INFO|WARN|ERROR) /u.test(line)).length).toBe(file.length);
    const errors = readRecords(path.join(folder.path, 'logs/error.log'));
    expect(errors).toEqual(file.filter((record) => record.level >= 50));
    const reader = openLogReader(path.join(folder.path, 'data/logs.db'));
    const total = reader.count();
    expect(reader.count({ level: 'info' })).toBe(file.length);
    reader.close();
    expect(text).toContain(`read back from data/logs.db\n  ${total} records: debug `);
    const failures = errors.filter(({ span }) => span === undefined);
    expect(text).toContain(`\n  errors: ${failures.length}, the newest 3\n`);
    // All of it reached the collector before the gateway had ended, each line as it is in the file.
    const shipped = readRecords(path.join(folder.path, 'logs/collected.log'));
    expect(shipped).toEqual(file);
    expect(text).toContain(`shipped to the collector\n  ${file.length} records: `);
    expect(text).toContain('because BackendError: model silent said nothing');

    expect(text).toMatch(/^ {2}240 records from before today$/mu);
    expect(text).toMatch(/^ {2}240 records in 1 files, all of them proved$/mu);

    const commands = [...text.matchAll(/^ {2}npx treeline (.+?) {2,}/gmu)].map(
      ([, args]) => args?.split(' ') ?? [],
    );
    expect(commands.length).toBeGreaterThan(0);
    for (const args of commands) {
      const { code, stdout, stderr } = await treeline(args, { cwd: folder.path });
      expect({ args, code, stderr, isEmpty: stdout === '' }).toEqual({
        args,
        code: 0,
        stderr: '',
        isEmpty: false,
      });
    }
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends everything that it has started on %s', async (signal, code) => {
    using folder = scratchFolder();
    const { demo, output } = startDemo(folder.path);
    await until(() => output().includes('answered by small'));
    // As a terminal does it: to every process of the group at once.
    if (demo.pid !== undefined) process.kill(signal === 'SIGINT' ? -demo.pid : demo.pid, signal);
    await once(demo, 'close');
    expect(demo.exitCode, output()).toBe(code);
    expect(isGroupAlive(demo)).toBe(false);
    expect(output()).toContain('gateway stopped');
    expect(output()).toContain(`stopped by ${signal}`);
    // The backend, which had the same Ctrl-C, has waited for the gateway.
    expect(output()).not.toContain("can't be reached");
  });

  test('leaves nothing running when it is killed', async () => {
    using folder = scratchFolder();
    const { demo, output } = startDemo(folder.path);
    await until(() => output().includes('answered by small'));
    demo.kill('SIGKILL');
    await until(() => !isGroupAlive(demo));
    const stored = readRecords(path.join(folder.path, 'logs/gateway.log'));
    expect(stored.at(-1)).toMatchObject({ msg: 'gateway stopped' });
  });
});

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, realpathSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startTreeline, treeline, writeConfig } from './command.ts';
import { programFile, readRecords, scratchFolder } from './program.ts';

const PROGRAM = programFile('logs-on-request.mjs');
const FILE = { name: 'file', type: 'file', path: 'app.log' };
const PATIENCE = { timeout: 60_000, interval: 20 };

let cwd = '';
let folder: ReturnType<typeof scratchFolder> | undefined;
let child: ChildProcessWithoutNullStreams | undefined;

beforeEach(() => {
  folder = scratchFolder();
  cwd = folder.path;
});

afterEach(async () => {
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  child = undefined;
  folder?.[Symbol.dispose]();
});

/** The program that logs what it is told; `ask` gives its answer. */
interface Program {
  readonly pid: number;
  readonly ask: (line: string) => Promise<unknown>;
}

async function startProgram(config: object): Promise<Program> {
  const started = spawn(process.execPath, [PROGRAM, JSON.stringify(config)], { cwd });
  child = started;
  const answers = createInterface({ input: started.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<string> => String((await answers.next()).value);
  expect(await answer()).toBe('ready');
  return {
    pid: started.pid ?? 0,
    async ask(line) {
      started.stdin.write(`${line}\n`);
      return JSON.parse(await answer()) as unknown;
    },
  };
}

const messages = (file: string): unknown[] => readRecords(join(cwd, file)).map(({ msg }) => msg);

describe('SIGHUP', () => {
  test('makes a program with a logger open its files anew, before its first line too, and go on', async () => {
    const { ask, pid } = await startProgram({ streams: [FILE] });
    process.kill(pid, 'SIGHUP');
    await ask('before');
    renameSync(join(cwd, 'app.log'), join(cwd, 'app.log.1'));
    process.kill(pid, 'SIGHUP');
    await vi.waitUntil(() => existsSync(join(cwd, 'app.log')), PATIENCE);
    await ask('after');
    expect(messages('app.log.1')).toEqual(['before']);
    expect(messages('app.log')).toEqual(['after']);
  });

  test('makes "treeline run" open its files anew and go on', async () => {
    const config = writeConfig(cwd, { streams: [FILE] });
    const command = startTreeline(['run', '-c', config], { cwd });
    command.stdin.write('{"level":30,"msg":"before"}\n');
    await vi.waitUntil(() => messages('app.log').length === 1, PATIENCE);
    renameSync(join(cwd, 'app.log'), join(cwd, 'app.log.1'));
    command.kill('SIGHUP');
    await vi.waitUntil(() => existsSync(join(cwd, 'app.log')), PATIENCE);
    command.stdin.end('{"level":30,"msg":"after"}\n');
    const [code, signal] = (await once(command, 'close')) as [number | null, NodeJS.Signals | null];
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(messages('app.log.1')).toEqual(['before']);
    expect(messages('app.log')).toEqual(['after']);
  });

  test('of a terminal that was closed still ends the program, with everything delivered', async () => {
    const inner = `exec '${process.execPath}' '${PROGRAM}' '${JSON.stringify({ streams: [FILE] })}'`;
    const terminal = spawn('script', ['-qec', inner, '/dev/null'], { cwd });
    child = terminal;
    terminal.stdin.write('the last line\n');
    await vi.waitUntil(() => messages('app.log').length === 1, PATIENCE);
    const pid = Number(readRecords(join(cwd, 'app.log'))[0]?.['pid']);
    expect(isRunning(pid)).toBe(true);
    terminal.kill('SIGKILL');
    await vi.waitUntil(() => !isRunning(pid), PATIENCE);
    expect(messages('app.log')).toEqual(['the last line']);
  });
});

describe('logger.reopen()', () => {
  test.each(['worker', 'in-process'])(
    'has the file at its path again when it resolves (%s)',
    async (mode) => {
      const { ask } = await startProgram({ mode, streams: [FILE] });
      await ask('before');
      renameSync(join(cwd, 'app.log'), join(cwd, 'app.log.1'));
      expect(await ask('reopen')).toEqual({ ok: true, streams: { file: 'reopened' } });
      expect(readFileSync(join(cwd, 'app.log'), 'utf8')).toBe('');
      await ask('after');
      expect(messages('app.log.1')).toEqual(['before']);
      expect(messages('app.log')).toEqual(['after']);
    },
  );

  test('reaches sinks in threads of their own, and tells which could not', async () => {
    const { ask } = await startProgram({
      streams: [
        { name: 'notes', type: 'reopening', path: join(cwd, 'notes') },
        { name: 'broken', type: 'reopening', fails: true },
      ],
    });
    await ask('one');
    const told = once(child?.stderr ?? process.stderr, 'data');
    expect(await ask('reopen')).toEqual({ ok: false, streams: { notes: 'reopened', broken: 'failed' } });
    expect(readFileSync(join(cwd, 'notes'), 'utf8')).toBe('reopened\n');
    expect(String(await told)).toContain('its place is gone');
  });
});

/** A process that nobody has waited for yet is still listed. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

describe('treeline rotate', () => {
  test('makes a running program begin a new file, and says which it was', async () => {
    const { ask } = await startProgram({ streams: [FILE] });
    await ask('before');
    const { code, stdout, stderr } = await treeline(['rotate', 'app.log'], { cwd });
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: `rotated ${realpathSync(join(cwd, 'app.log'))}\n`,
      stderr: '',
    });
    await ask('after');
    expect(messages('app.log')).toEqual(['after']);
    const [rotated = ''] = readdirSync(cwd).filter((name) => name.startsWith('app.log.'));
    expect(messages(rotated)).toEqual(['before']);
  });

  test('exits with 66 where no program writes the file, and 2 without one', async () => {
    const { code, stderr } = await treeline(['rotate', 'app.log'], { cwd });
    expect({ code, stderr }).toEqual({
      code: 66,
      stderr: `treeline: no process writes ${join(realpathSync(cwd), 'app.log')}: name the path as the config has it\n`,
    });
    expect((await treeline(['rotate'], { cwd })).code).toBe(2);
  });
});

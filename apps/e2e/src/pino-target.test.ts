import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StreamStatus } from '@treeline/core';
import { openLogStore } from '@treeline/sqlite';
import { describe, expect, test } from 'vitest';
import { installPackages } from './foreign-package.ts';
import {
  count,
  filesBelow,
  numbersIn,
  programFile,
  readRecords,
  runFile,
  scratchFolder,
  type Ended,
  type RunOptions,
} from './program.ts';

const LINES = 20_000;

/** From a package of its own, which knows the transports by their published names only. */
function logToTarget(
  target: string,
  options: object,
  way: string,
  cwd: string,
  { lines = LINES, ...run }: { readonly lines?: number } & Omit<RunOptions, 'cwd'> = {},
): Promise<Ended> {
  installPackages(cwd, ['pino', '@treeline/core', '@treeline/file', '@treeline/sqlite', '@treeline/pretty']);
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ name: 'foreign', private: true }));
  const program = join(cwd, 'program.mjs');
  copyFileSync(programFile('logs-to-pino-target.mjs'), program);
  return runFile(program, [target, JSON.stringify(options), way, String(lines)], { cwd, ...run });
}

function numbersInStore(path: string): number[] {
  const store = openLogStore(path);
  const numbers = [...store.iterate({ order: 'asc' })].map((row) => row.record['n'] as number);
  store.close();
  return numbers;
}

const numbersInFile = (path: string): number[] => numbersIn(readRecords(path));

/** Each line of the printer ends with its fields. */
function numbersInPrint(path: string): number[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => Number(/n=(\d+)$/.exec(line)?.[1]));
}

interface Target {
  readonly options: object;
  readonly outputs: Readonly<Record<string, (path: string) => number[]>>;
}

const PIPELINE = {
  streams: [
    { name: 'out', type: 'file', path: 'out.log' },
    { name: 'db', type: 'sqlite', path: 'logs.db' },
  ],
};

const TARGETS: Record<string, Target> = {
  '@treeline/core/pipeline': {
    options: { config: PIPELINE },
    outputs: { 'out.log': numbersInFile, 'logs.db': numbersInStore },
  },
  '@treeline/file': { options: { path: 'out.log' }, outputs: { 'out.log': numbersInFile } },
  '@treeline/sqlite': { options: { path: 'logs.db' }, outputs: { 'logs.db': numbersInStore } },
  '@treeline/pretty': {
    options: { destination: 'out.txt', mode: 'flat' },
    outputs: { 'out.txt': numbersInPrint },
  },
};

const WAYS: Record<string, { readonly code: number | null; readonly says?: string }> = {
  return: { code: 0 },
  exit: { code: 7 },
  throw: { code: 1, says: 'the original message' },
  reject: { code: 1, says: 'the original rejection' },
  flush: { code: null },
};

const cases = Object.entries(TARGETS).flatMap(([target, { options, outputs }]) =>
  Object.entries(WAYS).map(([way, end]) => ({ target, options, outputs, way, end })),
);

describe('as a pino target', () => {
  test.each(cases)(
    '$target has delivered every record, on $way',
    async ({ target, options, outputs, way, end }) => {
      using folder = scratchFolder();
      const ended = await logToTarget(target, options, way, folder.path);
      expect(ended.code, ended.stderr).toBe(end.code);
      if (end.says) expect(ended.stderr).toContain(end.says);
      else expect(ended.stderr).toBe('');
      for (const [file, numbersOf] of Object.entries(outputs)) {
        expect(numbersOf(join(folder.path, file)), file).toEqual(count(0, LINES));
      }
      if (way !== 'flush')
        expect(
          filesBelow(join(folder.path, 'logs/.treeline')).filter((name) => name.endsWith('.seg')),
        ).toEqual([]);
    },
  );
});

describe('@treeline/core/pipeline', () => {
  const mistaken = { config: { streams: [{ type: 'file', path: 'out.log', levle: 'info' }] } };

  test('prints what is wrong with its config, and emits it as the transport’s error', async () => {
    using folder = scratchFolder();
    const ended = await logToTarget('@treeline/core/pipeline', mistaken, 'listen', folder.path, { lines: 0 });
    const [said] = saidBy(ended);
    expect(said?.error).toContain('unknown key "levle"');
    expect(ended.stderr.trim()).toBe(said?.error);
  });

  test('ends a program that does not listen for that error, as every transport does that can’t start', async () => {
    using folder = scratchFolder();
    const ended = await logToTarget('@treeline/core/pipeline', mistaken, 'return', folder.path, { lines: 1 });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('did you mean "level"?');
  });

  test('takes the path of a config, relative to the working directory', async () => {
    using folder = scratchFolder();
    writeFileSync(join(folder.path, 'logging.json'), JSON.stringify(PIPELINE));
    const ended = await logToTarget(
      '@treeline/core/pipeline',
      { config: 'logging.json' },
      'return',
      folder.path,
    );
    expect(ended.stderr).toBe('');
    expect(numbersInFile(join(folder.path, 'out.log'))).toEqual(count(0, LINES));
  });

  test('warns once of each setting that it can’t keep', async () => {
    using folder = scratchFolder();
    const config = {
      level: 'debug',
      durability: 'process',
      timestamp: false,
      serviceName: 'api',
      fields: { zone: 'eu' },
      shutdown: { timeout: '30s' },
      streams: [{ name: 'out', type: 'file', path: 'out.log' }],
    };
    const ended = await logToTarget('@treeline/core/pipeline', { config }, 'return', folder.path);
    const warnings = ended.stderr.trim().split('\n');
    expect(warnings.map((line) => /^treeline: config (\S+): warning: /.exec(line)?.[1])).toEqual([
      'durability',
      'level',
      'shutdown.timeout',
      'timestamp',
      'serviceName',
      'fields',
    ]);
    expect(numbersInFile(join(folder.path, 'out.log'))).toEqual(count(0, LINES));
  });

  test('emits how its streams are in the program’s own thread', async () => {
    using folder = scratchFolder();
    const ended = await logToTarget('@treeline/core/pipeline', { config: PIPELINE }, 'listen', folder.path);
    expect(saidBy(ended)).toContainEqual({ status: { stream: 'out', type: 'up', reason: 'open' } });
  });

  test('a stream that is stuck holds up no other, and the end for shutdown.timeout at most; the next start gives it its records', async () => {
    using folder = scratchFolder();
    const until = join(folder.path, 'until');
    const stuck = { name: 'stuck', type: 'stuck', path: join(folder.path, 'stuck.log'), until };
    const options = {
      config: {
        shutdown: { timeout: '1s' },
        streams: [{ name: 'out', type: 'file', path: 'out.log' }, stuck],
      },
      transports: [{ type: 'stuck', module: programFile('sinks/stuck.mjs') }],
    };
    const first = await logToTarget('@treeline/core/pipeline', options, 'exit', folder.path);
    expect(first.code, first.stderr).toBe(7);
    expect(first.durationMs).toBeLessThan(10_000);
    expect(first.stderr).toContain(
      `stuck: warning: not delivered within 1000 ms, kept for the next start (${LINES} records)`,
    );
    expect(numbersInFile(join(folder.path, 'out.log'))).toEqual(count(0, LINES));
    writeFileSync(until, '');
    const second = await logToTarget('@treeline/core/pipeline', options, 'flush', folder.path, { lines: 1 });
    expect(second.signal, second.stderr).toBe('SIGKILL');
    expect(numbersInFile(stuck.path)).toEqual([...count(0, LINES), 0]);
  });
});

/** What a program with the way `listen` has heard. */
function saidBy({ stdout }: Ended): { readonly error?: string; readonly status?: StreamStatus }[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { error?: string; status?: StreamStatus });
}

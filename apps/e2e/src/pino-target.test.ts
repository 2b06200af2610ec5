import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

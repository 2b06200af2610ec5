import { join } from 'node:path';
import type { LogRecord } from '@treeline/contract';
import type { LoggerStats } from '@treeline/core';
import { listDeadLetters, readDeadLetters } from '@treeline/spool';
import { expect, test } from 'vitest';
import { count, numbersIn, runProgram, scratchFolder } from './program.ts';

test('what a destination refuses for good is kept as dead letters, in order, with its reason, and counted', async () => {
  using folder = scratchFolder();
  const streams = [{ name: 'picky', type: 'refusing', every: 10 }];
  const config = JSON.stringify({ serviceName: 'letters', streams });
  const ended = await runProgram('logs-beside-bad-streams.mjs', [config, '1000', '100'], {
    cwd: folder.path,
  });
  expect(ended.code, ended.stderr).toBe(0);
  const { stats, unbalanced } = JSON.parse(ended.stdout) as { stats: LoggerStats; unbalanced: unknown[] };
  expect(unbalanced).toEqual([]);
  expect(stats.streams['picky']).toMatchObject({ accepted: 1001, delivered: 901, deadLettered: 100 });

  const files = listDeadLetters(join(folder.path, 'logs/.treeline'));
  expect(files.map(({ service }) => service)).toEqual(['letters']);
  const letters = files.flatMap(({ path }) => readDeadLetters(path).letters);
  const records = letters.map(({ line }) => JSON.parse(line.toString()) as LogRecord);
  expect(numbersIn(records)).toEqual(count(0, 100).map((n) => n * 10));
  expect(letters.map(({ reason }) => reason).slice(0, 2)).toEqual(['0 is not welcome', '10 is not welcome']);
  expect(new Set(letters.map(({ seq }) => seq)).size).toBe(100);
});

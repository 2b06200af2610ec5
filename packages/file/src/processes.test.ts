import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { LogFolder, until } from './log-folder.test.fixture.ts';
import type { FileOptions } from './index.ts';
import { readWritten, repeated, WritingProcess } from './writing-process.test.fixture.ts';

const PINO_PROGRAM = fileURLToPath(new URL('../fixtures/pino-program.mjs', import.meta.url));

/** `TREELINE_SOAK=1` runs the figures that the guide to files states; without it the same is tried in less time. */
const SOAK = process.env['TREELINE_SOAK'] === '1';
const WRITERS = SOAK ? 8 : 4;
const RECORDS_EACH = SOAK ? 200_000 : 15_000;
const KILLED_AT_ONCE = 4;
const KILL_ROUNDS = SOAK ? 25 : 3;
const TIMEOUT_MS = SOAK ? 1_200_000 : 60_000;

describe('several processes on one path', () => {
  test.each(['none', 'gzip'] as const)(
    'find every record once, with compression %s',
    { timeout: TIMEOUT_MS },
    async (compress) => {
      await using folder = new LogFolder();
      const options: FileOptions = { path: folder.at('app.log'), rotation: { size: '1M' }, compress };
      const processes = Array.from(
        { length: WRITERS },
        (_, writer) => new WritingProcess({ options, writer, count: RECORDS_EACH }),
      );
      await Promise.all(processes.map(({ ended }) => ended));
      const { seen, torn } = readWritten(folder.path);
      expect(seen.size).toBe(WRITERS * RECORDS_EACH);
      expect([repeated(seen), torn]).toEqual([[], []]);
      expect(processes.map(({ faults }) => faults).join('')).toBe('');
      // Each may pass the limit by one batch.
      for (const name of folder.names.filter((each) => !each.endsWith('.gz')))
        expect(fs.statSync(folder.at(name)).size).toBeLessThan(1024 ** 2 + WRITERS * 700 * 400);
      expect(fs.readdirSync(folder.at('.treeline'))).toEqual([]);
    },
  );
});

test(
  'what killed processes have written is there once, whatever they were doing',
  { timeout: TIMEOUT_MS },
  async () => {
    await using folder = new LogFolder();
    const options: FileOptions = { path: folder.at('app.log'), rotation: { size: '64K' }, compress: 'gzip' };
    const acknowledged: string[] = [];
    for (let round = 0; round < KILL_ROUNDS; round++) {
      const writers = Array.from({ length: KILLED_AT_ONCE }, (_, index) => round * KILLED_AT_ONCE + index);
      const processes = writers.map(
        (writer) => new WritingProcess({ options, writer, count: 1_000_000, perBatch: 50 }),
      );
      await until(
        () => processes.every(({ output }) => output !== ''),
        `the first records of round ${round}`,
        60_000,
      );
      for (const { child } of processes) {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
        child.kill('SIGKILL');
      }
      await Promise.all(processes.map(({ ended }) => ended));
      for (const [index, writer] of writers.entries()) {
        for (let n = 0; n < (processes[index]?.written ?? 0); n++) acknowledged.push(`${writer}:${n}`);
      }
    }
    const last = new WritingProcess({ options, writer: -1, count: 10 });
    await last.ended;
    const { seen, torn } = readWritten(folder.path);
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.filter((key) => seen.get(key) !== 1)).toEqual([]);
    // SIGKILL may end a write between two pages: the line that it cut was not acknowledged, and stands by itself.
    expect(torn.length).toBeLessThanOrEqual(KILL_ROUNDS * KILLED_AT_ONCE);
  },
);

test(
  'as a pino target it has everything when the program has ended, in whole lines',
  { timeout: 30_000 },
  async () => {
    await using folder = new LogFolder();
    execFileSync(process.execPath, [PINO_PROGRAM, folder.at('app.log'), '10000']);
    const { seen, torn } = readWritten(folder.path);
    expect([seen.size, repeated(seen), torn]).toEqual([10_000, [], []]);
    const sizes = folder.names.map((name) => fs.statSync(folder.at(name)).size);
    expect(sizes.length).toBeGreaterThan(3);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1024 ** 2);
  },
);

describe('a limit that cuts a write short', () => {
  test(
    'leaves no part of a line behind, and all goes on when it is lifted',
    { timeout: 30_000 },
    async () => {
      await using folder = new LogFolder();
      const options: FileOptions = { path: folder.at('app.log') };
      const limited = new WritingProcess({ options, count: 5_000 }, ['prlimit', '--fsize=500000:unlimited']);
      await until(() => limited.faults.includes('EFBIG'), 'the limit', 20_000);
      // Each attempt fills the file to the limit, and takes back what it has of a line.
      await until(() => fs.readFileSync(folder.at('app.log'), 'utf8').endsWith('}\n'), 'whole lines');
      expect(fs.statSync(folder.at('app.log')).size).toBeGreaterThan(499_000);
      execFileSync('prlimit', [`--pid=${limited.child.pid}`, '--fsize=unlimited']);
      await limited.ended;
      const { seen, torn } = readWritten(folder.path);
      expect([seen.size, repeated(seen), torn]).toEqual([5_000, [], []]);
    },
  );
});

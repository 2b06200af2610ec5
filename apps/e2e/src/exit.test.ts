import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { count, filesBelow, numbersIn, readRecords, runProgram, scratchFolder } from './program.ts';

const LINES = 20_000;

interface End {
  readonly code: number | null;
  readonly signal?: NodeJS.Signals;
  readonly says?: string;
  /** Whether exit handlers run, which log two more records. */
  readonly late: boolean;
}

/** Each way to end, and how the process would end without a logger. */
const WAYS: Record<string, End> = {
  return: { code: 0, late: true },
  exit: { code: 7, late: true },
  throw: { code: 1, says: 'the original message', late: true },
  reject: { code: 1, says: 'the original rejection', late: true },
  SIGTERM: { code: null, signal: 'SIGTERM', late: false },
  SIGINT: { code: null, signal: 'SIGINT', late: false },
  'SIGTERM-handled-before': { code: 40, late: true },
  'SIGTERM-handled-after': { code: 40, late: true },
  'SIGINT-handled-before': { code: 40, late: true },
  'SIGINT-handled-after': { code: 40, late: true },
  'SIGTERM-signal-exit': { code: null, signal: 'SIGTERM', late: false },
};

const STREAMS = [1, 3, 6];

function configOf(streamCount: number): object {
  const streams = count(0, streamCount).map((index) => ({
    name: `file-${index}`,
    type: 'file',
    path: `out-${index}.log`,
  }));
  return { serviceName: 'exits', shutdown: { timeout: '60s' }, streams };
}

describe('nothing logged before the end is lost', () => {
  const cases = Object.entries(WAYS).flatMap(([way, end]) =>
    STREAMS.map((streams) => ({ way, end, streams })),
  );

  test.each(cases)('on $way with $streams streams', async ({ way, end, streams }) => {
    using folder = scratchFolder();
    const ended = await runProgram(
      'logs-and-ends.mjs',
      [JSON.stringify(configOf(streams)), way, String(LINES)],
      {
        cwd: folder.path,
      },
    );
    expect({ code: ended.code, signal: ended.signal }).toEqual({
      code: end.code,
      signal: end.signal ?? null,
    });
    if (end.says) expect(ended.stderr).toContain(end.says);
    for (let index = 0; index < streams; index++) {
      const records = readRecords(join(folder.path, `out-${index}.log`));
      expect(numbersIn(records)).toEqual(count(0, LINES));
      expect(records.flatMap((record) => record['late'] ?? [])).toEqual(end.late ? [1, 2] : []);
    }
    expect(filesBelow(join(folder.path, 'logs/.treeline')).filter((name) => name.endsWith('.seg'))).toEqual(
      [],
    );
  });

  test('while the worker is still starting', async () => {
    using folder = scratchFolder();
    await runProgram('logs-and-ends.mjs', [JSON.stringify(configOf(1)), 'exit', '1'], { cwd: folder.path });
    expect(numbersIn(readRecords(join(folder.path, 'out-0.log')))).toEqual([0]);
  });

  test('200 000 lines, then process.exit(): all in the file and in the store', async () => {
    using folder = scratchFolder();
    const config = {
      shutdown: { timeout: '60s' },
      streams: [
        { name: 'file', type: 'file', path: 'out.log' },
        { name: 'db', type: 'sqlite', path: 'logs.db' },
      ],
    };
    await runProgram('logs-and-ends.mjs', [JSON.stringify(config), 'exit', '200000'], { cwd: folder.path });
    expect(numbersIn(readRecords(join(folder.path, 'out.log')))).toEqual(count(0, 200_000));
    const { openLogStore } = await import('@treeline/sqlite');
    const store = openLogStore(join(folder.path, 'logs.db'));
    const numbers: unknown[] = [];
    for (const row of store.iterate({ order: 'asc' })) numbers.push(row.record['n']);
    store.close();
    expect(numbers.filter((n) => n !== undefined)).toEqual(count(0, 200_000));
  });
});

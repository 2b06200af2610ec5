import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { LogFolder, until } from './log-folder.test.fixture.ts';
import type { FileOptions } from './index.ts';

/** These run the built package: `dist` has to be there. */
const WRITER = fileURLToPath(new URL('../fixtures/writer.mjs', import.meta.url));
const PINO_PROGRAM = fileURLToPath(new URL('../fixtures/pino-program.mjs', import.meta.url));

const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

interface Writing {
  readonly options: FileOptions;
  readonly writer?: number;
  readonly from?: number;
  readonly count: number;
  readonly perBatch?: number;
}

class WritingProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  output = '';
  faults = '';

  constructor(writing: Writing, command: readonly string[] = []) {
    const [file, ...args] = [...command, process.execPath, WRITER, JSON.stringify({ writer: 0, ...writing })];
    this.child = spawn(file ?? process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(this.child);
    this.child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.faults += chunk.toString()));
    this.ended = once(this.child, 'close').then(() => children.delete(this.child));
  }

  /** The number behind the last record that is known to have been written. */
  get written(): number {
    return Number(this.output.trim().split('\n').at(-1));
  }
}

interface Found {
  /** How often each record stands in the files, by writer and number. */
  readonly seen: Map<string, number>;
  /** Lines that are no record. */
  readonly torn: string[];
}

function readRecords(folder: string): Found {
  const found: Found = { seen: new Map(), torn: [] };
  const names = fs.readdirSync(folder).filter((name) => name.startsWith('app.log'));
  for (const name of names) {
    // A crash may leave a copy beside its source.
    if (name.endsWith('.gz') && names.includes(name.slice(0, -3))) continue;
    const bytes = fs.readFileSync(path.join(folder, name));
    const text = (name.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes).toString();
    for (const line of text.split('\n').slice(0, -1)) countLine(found, line);
  }
  return found;
}

function countLine({ seen, torn }: Found, line: string): void {
  try {
    const { writer, n } = JSON.parse(line) as { writer: number; n: number };
    seen.set(`${writer}:${n}`, (seen.get(`${writer}:${n}`) ?? 0) + 1);
  } catch {
    torn.push(line);
  }
}

const repeated = (seen: Map<string, number>): string[] =>
  [...seen].flatMap(([key, times]) => (times > 1 ? [key] : []));

describe('several processes on one path', () => {
  test.each(['none', 'gzip'] as const)(
    'find every record once, with compression %s',
    { timeout: 60_000 },
    async (compress) => {
      await using folder = new LogFolder();
      const options: FileOptions = { path: folder.at('app.log'), rotation: { size: '1M' }, compress };
      const processes = Array.from(
        { length: 4 },
        (_, writer) => new WritingProcess({ options, writer, count: 15_000 }),
      );
      await Promise.all(processes.map(({ ended }) => ended));
      const { seen, torn } = readRecords(folder.path);
      expect(seen.size).toBe(60_000);
      expect([repeated(seen), torn]).toEqual([[], []]);
      expect(processes.map(({ faults }) => faults).join('')).toBe('');
      // Each may pass the limit by one batch.
      for (const name of folder.names.filter((each) => !each.endsWith('.gz')))
        expect(fs.statSync(folder.at(name)).size).toBeLessThan(1024 ** 2 + 4 * 700 * 400);
      expect(fs.readdirSync(folder.at('.treeline'))).toEqual([]);
    },
  );
});

test('what a killed process has written is there, whatever it was doing', { timeout: 60_000 }, async () => {
  await using folder = new LogFolder();
  const options: FileOptions = { path: folder.at('app.log'), rotation: { size: '64K' }, compress: 'gzip' };
  const expected: string[] = [];
  for (let round = 0; round < 8; round++) {
    const writing = new WritingProcess({ options, writer: round, count: 1_000_000, perBatch: 50 });
    const pauseMs = 20 + Math.random() * 150;
    await until(() => writing.output !== '', `the first records of process ${round}`, 20_000);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    writing.child.kill('SIGKILL');
    await writing.ended;
    for (let n = 0; n < writing.written; n++) expected.push(`${round}:${n}`);
  }
  const last = new WritingProcess({ options, writer: 99, count: 10 });
  await last.ended;
  const { seen, torn } = readRecords(folder.path);
  expect(expected.filter((key) => seen.get(key) !== 1)).toEqual([]);
  // SIGKILL may end a write between two pages: the line that it cut was not acknowledged, and stands by itself.
  expect(torn.length).toBeLessThanOrEqual(8);
});

test(
  'as a pino target it has everything when the program has ended, in whole lines',
  { timeout: 30_000 },
  async () => {
    await using folder = new LogFolder();
    execFileSync(process.execPath, [PINO_PROGRAM, folder.at('app.log'), '10000']);
    const { seen, torn } = readRecords(folder.path);
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
      const { seen, torn } = readRecords(folder.path);
      expect([seen.size, repeated(seen), torn]).toEqual([5_000, [], []]);
    },
  );
});

test(
  'a disk that is full loses nothing, and all goes on when there is room',
  { timeout: 60_000 },
  async ({ skip }) => {
    await using folder = new LogFolder();
    const disk = folder.at('disk');
    fs.mkdirSync(disk);
    try {
      execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      skip('mounting a small tmpfs needs root');
    }
    try {
      fs.writeFileSync(path.join(disk, 'ballast'), Buffer.alloc(2 * 1024 ** 2));
      const options: FileOptions = { path: path.join(disk, 'app.log'), rotation: { size: '700K' } };
      const processes = [0, 1].map((writer) => new WritingProcess({ options, writer, count: 4_500 }));
      await until(
        () => processes.some(({ faults }) => faults.includes('ENOSPC')),
        'the disk to be full',
        20_000,
      );
      fs.rmSync(path.join(disk, 'ballast'));
      await Promise.all(processes.map(({ ended }) => ended));
      const { seen, torn } = readRecords(disk);
      expect([seen.size, repeated(seen), torn]).toEqual([9_000, [], []]);
    } finally {
      for (const child of children) child.kill('SIGKILL');
      execFileSync('/bin/umount', ['--lazy', disk]);
    }
  },
);

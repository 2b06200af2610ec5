import { execFileSync, spawn, type StdioOptions } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openPathWriter } from './fd-writer.ts';

const PROGRAM = fileURLToPath(new URL('../test-programs/fd-writer.mjs', import.meta.url));

/** More than a pipe or socket holds. */
const MUCH = 2_000_000;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'treeline-contract-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Outcome {
  readonly outcome: string;
  readonly ticks: number;
  readonly afterClose: string;
}

/** Runs the program with standard output as given, and gives what it tells on standard error. */
async function runWriter(command: readonly [string, ...string[]], stdio: StdioOptions): Promise<Outcome> {
  const [file, ...args] = command;
  const child = spawn(file, args, { stdio });
  let told = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (told += text));
  await new Promise((resolve) => child.once('close', resolve));
  return JSON.parse(told) as Outcome;
}

function writer(options: { bytes: number; watchMs: number; touchStdout?: boolean }): string[] {
  return [PROGRAM, JSON.stringify(options)];
}

function pipedInto(
  reader: string,
  options: { bytes: number; watchMs: number },
): readonly [string, ...string[]] {
  const [program, argument] = writer(options);
  return ['sh', '-c', `"$1" "$2" "$3" | ${reader}`, 'sh', process.execPath, program ?? '', argument ?? ''];
}

describe('openFdWriter', () => {
  test('leaves the thread free while nobody reads the pipe, and stops when it is closed', async () => {
    const told = await runWriter(pipedInto('sleep 1', { bytes: MUCH, watchMs: 300 }), [
      'ignore',
      'ignore',
      'pipe',
    ]);
    expect(told).toMatchObject({ outcome: 'waiting', afterClose: 'CLOSED' });
    expect(told.ticks).toBeGreaterThan(3);
  });

  test('resolves when the reader of a pipe has taken everything', async () => {
    const counting = `wc -c > "${join(folder, 'count')}"`;
    const told = await runWriter(pipedInto(counting, { bytes: MUCH, watchMs: 10_000 }), [
      'ignore',
      'ignore',
      'pipe',
    ]);
    expect(told.outcome).toBe('written');
    expect(readFileSync(join(folder, 'count'), 'utf8').trim()).toBe(String(MUCH));
  });

  test('rejects with EPIPE when the reader of a pipe has gone', async () => {
    const told = await runWriter(pipedInto('true', { bytes: MUCH, watchMs: 10_000 }), [
      'ignore',
      'ignore',
      'pipe',
    ]);
    expect(told.outcome).toBe('EPIPE');
  });

  test('writes to a file', async () => {
    const path = join(folder, 'out');
    const fd = openSync(path, 'a');
    const told = await runWriter(
      [process.execPath, ...writer({ bytes: MUCH, watchMs: 10_000 })],
      ['ignore', fd, 'pipe'],
    );
    closeSync(fd);
    expect(told.outcome).toBe('written');
    expect(readFileSync(path).length).toBe(MUCH);
  });

  // What child_process calls a pipe is a socket, which can't be opened once more.
  test('leaves the thread free while nobody reads the socket, once the main thread has touched process.stdout', async () => {
    const told = await runWriter(
      [process.execPath, ...writer({ bytes: 10 * MUCH, watchMs: 300, touchStdout: true })],
      ['ignore', 'pipe', 'pipe'],
    );
    expect(told).toMatchObject({ outcome: 'waiting', afterClose: 'CLOSED' });
    expect(told.ticks).toBeGreaterThan(3);
  });
});

describe('openPathWriter', () => {
  test('refuses a FIFO that nobody reads with ENXIO', () => {
    const path = join(folder, 'fifo');
    execFileSync('mkfifo', [path]);
    expect(() => openPathWriter(path)).toThrow(expect.objectContaining({ code: 'ENXIO' }));
  });

  test('writes to a FIFO that somebody reads, and rejects when the reader has gone', async () => {
    const path = join(folder, 'fifo');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, 'r+');
    const fifo = openPathWriter(path);
    await fifo.write(Buffer.from('hello\n'));
    const read = Buffer.alloc(16);
    expect(read.toString('utf8', 0, readSync(reader, read))).toBe('hello\n');
    closeSync(reader);
    await expect(fifo.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'EPIPE' });
    fifo.close();
    fifo.close();
  });

  test('rejects a write after close', async () => {
    const device = openPathWriter('/dev/null');
    await device.write(Buffer.from('x'));
    device.close();
    await expect(device.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  createReadStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseLine, type LogRecord } from '@treeline/contract';

/** How a program ended, and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the process once it runs. */
  readonly started?: (pid: number) => void;
}

/** Runs one of the programs beside this folder to its end. */
export function runProgram(name: string, args: readonly string[], options: RunOptions): Promise<Ended> {
  return runFile(programFile(name), args, options);
}

export function programFile(name: string): string {
  return fileURLToPath(new URL(`../programs/${name}`, import.meta.url));
}

/** Runs a program to its end. */
export async function runFile(path: string, args: readonly string[], options: RunOptions): Promise<Ended> {
  const startMs = performance.now();
  const child = spawn(process.execPath, [path, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'], ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  if (child.pid !== undefined) options.started?.(child.pid);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout, stderr, durationMs: performance.now() - startMs };
}

/** A folder of its own for a test; removed with `using`. */
export function scratchFolder(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'treeline-e2e-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The records of an NDJSON file; none where it is missing. */
export function readRecords(path: string): LogRecord[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogRecord);
}

/** The same where writers were killed: a write that was cut leaves a line that is no JSON, and is made once more. */
export function readRecordsOfKilled(path: string): LogRecord[] {
  return readFileSync(path, 'utf8').split('\n').map(parseLine);
}

/** How many records of a file, however large, count on from 0 without a gap. */
export async function countFromZero(path: string): Promise<number> {
  let next = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const { n } = JSON.parse(line) as LogRecord;
    if (n === undefined) continue;
    if (n !== next) break;
    next++;
  }
  return next;
}

/** The numbers that a program counted its records with. */
export function numbersIn(records: readonly LogRecord[]): number[] {
  return records.map((record) => record['n']).filter((n) => typeof n === 'number');
}

export function count(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

/** Every file below a folder. */
export function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(folder, name)).isFile(),
    );
  } catch {
    return [];
  }
}

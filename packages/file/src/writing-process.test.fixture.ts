import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { afterAll } from 'vitest';
import type { FileOptions } from './index.ts';

/** Runs the built package: `dist` has to be there. */
const WRITER = fileURLToPath(new URL('../fixtures/writer.mjs', import.meta.url));

const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

interface Writing {
  readonly options: FileOptions;
  readonly writer?: number;
  readonly count: number;
  readonly perBatch?: number;
  /** Between two batches. */
  readonly pauseMs?: number;
  /** Runs as this user. */
  readonly uid?: number | undefined;
}

/** A process that writes numbered records, offering again what a fault has refused. */
export class WritingProcess {
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

/** What was found in log files. */
interface Found {
  /** How often each record stands in the files, by writer and number. */
  readonly seen: Map<string, number>;
  /** Lines that are no record. */
  readonly torn: string[];
}

/** Reads all files of `app.log` in a folder. */
export function readWritten(folder: string): Found {
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

/** The records that stand there more than once. */
export const repeated = (seen: Map<string, number>): string[] =>
  [...seen].flatMap(([key, times]) => (times > 1 ? [key] : []));

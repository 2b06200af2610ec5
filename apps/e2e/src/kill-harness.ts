import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LogRecord } from '@treeline/contract';
import type { LoggerStats } from '@treeline/core';
import { letterId, listDeadLetters, readDeadLetters } from '@treeline/spool';
import { openLogStore } from '@treeline/sqlite';
import { expect } from 'vitest';
import { count, filesBelow, numbersIn, programFile, readRecordsOfKilled, runProgram } from './program.ts';

/** Each process of a chain counts on far behind the one before it, so that a number tells whose record it is. */
const NUMBERS_PER_PROCESS = 1_000_000;

/** A process that never comes by its failpoint would log for ever. */
const MAX_LIFE_MS = 30_000;

/** When a process is killed. */
export type Kill =
  /** So long after its start, or after the first call has returned. */
  | { readonly after: 'start' | 'first-line'; readonly ms: number }
  /** When it comes by the failpoint for the n-th time. */
  | { readonly failpoint: string; readonly nth: number };

export interface Chain {
  /**
   * A stream `file` that writes to `out.log`, a stream `db` that writes to `logs.db`; perhaps a stream `picky` that refuses every tenth
   * record, or one `held` that writes to `held.log` as soon as there is a file `release`.
   */
  readonly config: object;
  readonly cwd: string;
  readonly kills: readonly Kill[];
  /** So many processes run at a time. @default 1 */
  readonly atOnce?: number | undefined;
  /** After so many records a process closes its logger and makes another. */
  readonly recordsPerLogger?: number | undefined;
}

/** What became of a chain: the last number whose call is known to have returned, for each process. */
export interface Outcome {
  readonly lasts: readonly number[];
  readonly filed: readonly number[];
  readonly stored: readonly number[];
  /** Undefined without the stream `picky`. */
  readonly refused: readonly number[] | undefined;
  /** Undefined without the stream `held`. */
  readonly held: readonly number[] | undefined;
  readonly stats: LoggerStats;
}

/** Numbers from 0 up to 1 that are the same for the same seed (mulberry32, https://github.com/cprosche/mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Moments all over a process's life: while it starts and takes over what the last one left, and while it logs. */
export function randomKill(random: () => number): Kill {
  return random() < 0.25
    ? { after: 'start', ms: random() * 400 }
    : { after: 'first-line', ms: random() ** 2 * 400 };
}

/** Kills one process after the other, each of which takes over what the last one left; then a last one delivers the rest. */
export async function killChain(chain: Chain): Promise<Outcome> {
  const lasts: number[] = [];
  const left = [...chain.kills.entries()];
  while (left.length > 0) {
    const together = left.splice(0, chain.atOnce ?? 1);
    const killed = together.map(([process, kill]) => killOne(chain, process * NUMBERS_PER_PROCESS, kill));
    lasts.push(...(await Promise.all(killed)));
  }
  writeFileSync(join(chain.cwd, 'release'), '');
  const drained = await runProgram('drains.mjs', [JSON.stringify(chain.config)], { cwd: chain.cwd });
  expect(drained.code, drained.stderr).toBe(0);
  const { flushed, stats } = JSON.parse(drained.stdout) as { flushed: { ok: boolean }; stats: LoggerStats };
  expect(flushed.ok, drained.stderr).toBe(true);
  const store = openLogStore(join(chain.cwd, 'logs.db'));
  const stored = [...store.iterate({ order: 'asc' })].map((row) => row.record['n']);
  store.close();
  return {
    lasts,
    filed: numbersIn(readRecordsOfKilled(join(chain.cwd, 'out.log'))),
    stored: stored.filter((n) => typeof n === 'number'),
    held: 'held' in stats.streams ? numbersIn(readRecordsOfKilled(join(chain.cwd, 'held.log'))) : undefined,
    refused: 'picky' in stats.streams ? deadLetters(chain.cwd) : undefined,
    stats,
  };
}

/**
 * The oracle. Of each process every record whose call had returned is there, and perhaps some of those whose call had not, in the order
 * of the calls: in the store once, in the file at least once.
 */
export function expectNothingLost({ lasts, filed, stored, refused, held, stats }: Outcome): void {
  const filedBy = byProcess(filed);
  const storedBy = byProcess(stored);
  const refusedBy = byProcess(refused ?? []);
  const heldBy = byProcess(held ?? []);
  for (const [process, last] of lasts.entries()) {
    const first = process * NUMBERS_PER_PROCESS;
    for (const [where, numbers] of [
      ['file', [...new Set(filedBy.get(process))]],
      ['store', storedBy.get(process) ?? []],
      ['held file', held && [...new Set(heldBy.get(process))]],
    ] as const) {
      if (numbers === undefined) continue;
      const present = numbers.map((n) => n - first);
      expect(firstDifference(present), `process ${process} in the ${where}`).toBeUndefined();
      expect(present.length, `process ${process} in the ${where}`).toBeGreaterThanOrEqual(last - first + 1);
    }
    if (refused === undefined) continue;
    const letters = (refusedBy.get(process) ?? []).map((n) => (n - first) / 10);
    expect(firstDifference(letters), `dead letters of process ${process}`).toBeUndefined();
    expect(letters.length).toBeGreaterThanOrEqual(Math.floor((last - first) / 10) + 1);
  }
  for (const { dropped, queued } of Object.values(stats.streams)) {
    expect({ dropped, queued }).toEqual({ dropped: {}, queued: 0 });
  }
}

/** No segment of what was delivered is left on disk. */
export function expectNothingLeft({ cwd }: Chain): void {
  const left = filesBelow(join(cwd, 'logs/.treeline'));
  expect(left.filter((name) => name.endsWith('.seg'))).toEqual([]);
}

/** Returns the last number whose call had returned. */
async function killOne(chain: Chain, first: number, kill: Kill): Promise<number> {
  const armed = 'failpoint' in kill ? { TREELINE_FAILPOINT: `${kill.failpoint}:${kill.nth}` } : {};
  const child = spawn(
    process.execPath,
    [
      programFile('logs-until-killed.mjs'),
      JSON.stringify(chain.config),
      String(first),
      String(chain.recordsPerLogger ?? Infinity),
    ],
    {
      cwd: chain.cwd,
      env: { PATH: process.env['PATH'], ...armed },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let last = first - 1;
  const deadline = setTimeout(() => child.kill('SIGTERM'), MAX_LIFE_MS);
  const killIn = (ms: number): void => void setTimeout(() => child.kill('SIGKILL'), ms);
  if ('after' in kill && kill.after === 'start') killIn(kill.ms);
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (last < first && 'after' in kill && kill.after === 'first-line') killIn(kill.ms);
    last = Number(line);
  });
  await once(child, 'close');
  clearTimeout(deadline);
  expect(child.signalCode, `${JSON.stringify(kill)} never came\n${stderr}`).toBe('SIGKILL');
  return last;
}

/** The numbers of the dead letters, each once, in the order of the calls. */
function deadLetters(cwd: string): number[] {
  const files = listDeadLetters(join(cwd, 'logs/.treeline'));
  const letters = files.flatMap(({ path }) => readDeadLetters(path).letters);
  const kept = new Map(letters.map((letter) => [letterId(letter), letter]));
  const records = [...kept.values()].map(({ line }) => JSON.parse(line.toString()) as LogRecord);
  return numbersIn(records).toSorted((a, b) => a - b);
}

function byProcess(numbers: readonly number[]): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const n of numbers) {
    const process = Math.floor(n / NUMBERS_PER_PROCESS);
    const group = groups.get(process);
    if (group) group.push(n);
    else groups.set(process, [n]);
  }
  return groups;
}

/** Where numbers do not count on from 0, with what stands around it. */
function firstDifference(numbers: readonly number[]): object | undefined {
  const at = numbers.findIndex((n, index) => n !== index);
  if (at === -1) return undefined;
  const missing = count(0, numbers.length).filter((n) => !numbers.includes(n));
  return { at, around: numbers.slice(Math.max(0, at - 3), at + 4), missing: missing.slice(0, 5) };
}

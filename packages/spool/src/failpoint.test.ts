import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { adoptLogs, listLogs } from './adoption.ts';
import { listDeadLetters, readDeadLetters } from './dead-letter-files.ts';
import { FAILPOINTS, type Failpoint } from './failpoint.ts';
import { openLogReader, type Damage } from './log-reader.ts';

const program = fileURLToPath(new URL('../fixtures/crash.mjs', import.meta.url));

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

let stateDirectory: string;
beforeEach(() => {
  stateDirectory = join(mkdtempSync(join(tmpdir(), 'spool-crash-')), '.treeline');
});
afterEach(() => rmSync(stateDirectory, { recursive: true, force: true }));

/** What a killed child is known to have done. */
interface Told {
  /** -1 where nothing was said of it. */
  readonly appended: number;
  readonly cursor: number;
  readonly dead: readonly number[];
}

const whileWriting = FAILPOINTS.filter((name) => !name.startsWith('adopt') && name !== 'remove-midway');
const turns = [1, 9];
/** Each of these is reached once in a process. */
const once: readonly Failpoint[] = ['owner-listening', 'log-directory-created'];

test.each(
  whileWriting
    .flatMap((name) => turns.map((nth) => [name, nth] as const))
    .filter(([name, nth]) => nth === 1 || !once.includes(name)),
)('a process killed at %s, time %d, has lost nothing that had returned', async (name, nth) => {
  const told = crash('write', `${name}:${nth}`);
  const found = await recover();
  expect(found.damage.filter(({ reason }) => reason !== 'torn')).toEqual([]);
  expect(found.seqs).toEqual(range(found.seqs[0] ?? 0, found.seqs.at(-1) ?? -1));
  expect(found.seqs.at(-1) ?? -1).toBeGreaterThanOrEqual(told.appended);
  // The frame under way may have made it, no other.
  expect(found.seqs.at(-1) ?? -1).toBeLessThanOrEqual(told.appended + 3);
  expect(found.seqs[0] ?? 0).toBeLessThanOrEqual(found.cursor + 1);
  expect(found.cursor).toBeGreaterThanOrEqual(told.cursor);
  expect(found.dead.slice(0, told.dead.length)).toEqual(told.dead);
  expect(found.dead.length - told.dead.length).toBeLessThanOrEqual(1);
});

test.each([1, 2, 3])(
  'a process killed while it removes a delivered log, at file %d, leaves nothing to be sent again',
  async (nth) => {
    const told = crash('write-and-remove', `remove-midway:${nth}`);
    const found = await recover();
    expect(told.appended).toBe(599);
    expect(found.seqs.filter((seq) => seq > found.cursor)).toEqual([]);
  },
);

test.each(['adopt-before', 'adopt-after'])(
  'what an adopter killed at %s had taken is adopted by the next',
  async (name) => {
    const told = crash('write', 'append-after:100');
    crash('adopt', name);
    const found = await recover();
    expect(found.seqs.at(-1)).toBeGreaterThanOrEqual(told.appended);
    expect(found.cursor).toBe(told.cursor);
  },
);

test.each(FAILPOINTS)('the README says what holds after %s', (name) => {
  expect(readme).toMatch(new RegExp(`^\\|.*\`${name}\`.*\\|`, 'm'));
});

test('one of several processes that adopt at once gets a log, whole', async () => {
  const told = crash('write', 'append-after:100');
  const before = await listLogs(stateDirectory);
  expect(before.map(({ owner }) => owner)).toEqual(['dead']);
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => adoptLogs({ stateDirectory, service: 'crash' })));
  const logs = [a, b, c].flatMap((adoption) => adoption?.logs ?? []);
  expect(logs).toHaveLength(1);
  expect(readAll(logs[0]?.directory ?? '').seqs.at(-1)).toBeGreaterThanOrEqual(told.appended);
  logs[0]?.remove();
});

test('a log that was adopted and delivered leaves no file behind', async () => {
  crash('write', 'append-torn:50');
  const { logs } = await adoptLogs({ stateDirectory, service: 'crash' });
  for (const log of logs) log.remove();
  await adoptLogs({ stateDirectory, service: 'crash' });
  const left = readdirSync(join(stateDirectory, 'crash'), { recursive: true, withFileTypes: true });
  expect(
    left.filter((entry) => !entry.isDirectory() && !entry.name.endsWith('.ndjson')).map(({ name }) => name),
  ).toEqual([]);
});

function crash(mode: string, failpoint: string): Told {
  const env = { ...process.env, TREELINE_FAILPOINT: failpoint };
  const child = spawnSync(process.execPath, [program, mode, stateDirectory], { env, encoding: 'utf8' });
  if (child.signal !== 'SIGKILL')
    throw new Error(`the child outlived ${failpoint}: ${child.stdout.slice(-200)}${child.stderr}`);
  const said = (word: string): number[] =>
    [...child.stdout.matchAll(new RegExp(`^${word} (.*)$`, 'gm'))].map(([, value]) => Number(value));
  return { appended: said('appended').at(-1) ?? -1, cursor: said('cursor').at(-1) ?? -1, dead: said('dead') };
}

async function recover(): Promise<{ seqs: number[]; damage: Damage[]; cursor: number; dead: number[] }> {
  const { logs, skipped } = await adoptLogs({ stateDirectory, service: 'crash' });
  expect(skipped).toEqual([]);
  expect(logs.length).toBeLessThanOrEqual(1);
  // A log without a segment is nobody's concern.
  expect(logs.every(({ bytes }) => bytes > 0)).toBe(true);
  const log = logs[0];
  const read = log === undefined ? { seqs: [], damage: [] } : readAll(log.directory);
  const cursor = log?.cursors.streams.get('stream')?.seq ?? -1;
  const letters = listDeadLetters(stateDirectory).flatMap(({ path }) => readDeadLetters(path).letters);
  log?.remove();
  return { ...read, cursor, dead: letters.map(({ seq }) => seq) };
}

function readAll(directory: string): { seqs: number[]; damage: Damage[] } {
  const seqs: number[] = [];
  const damage: Damage[] = [];
  const reader = openLogReader(directory, { follow: false, onDamage: (found) => damage.push(found) });
  for (let run = reader.next(); run !== undefined; run = reader.next()) {
    for (const text of run.bytes.toString().trimEnd().split('\n')) seqs.push(seqOf(text));
  }
  reader.close();
  return { seqs, damage };
}

function seqOf(text: string): number {
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null && 'seq' in value ? Number(value.seq) : Number.NaN;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archive } from './archive.ts';
import { FAILPOINTS, type Failpoint } from './failpoint.ts';
import { openMergedReader } from './merged-reader.ts';
import type { ArchiveOptions } from './options.ts';
import { restoreArchive } from './restore.ts';
import { createScratchStore, DAY_MS, type ScratchStore } from './scratch-store.ts';
import { verifyArchive } from './verify.ts';

const program = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const readme = fs.readFileSync(new URL('../README.md', import.meta.url), 'utf8');

interface Ended {
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
  readonly output: string;
}

async function runArchiver(store: ScratchStore, failpoint?: string): Promise<Ended> {
  const child = spawn(
    process.execPath,
    [program('archive.mjs'), store.path, store.to, String(DAY_MS), '700'],
    { env: { ...process.env, TREELINE_FAILPOINT: failpoint }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return { signal: child.signalCode, code: child.exitCode, output };
}

/** The numbers of all rows, as a reader of store and archive sees them, by who wrote them. */
function numbersOf(store: ScratchStore): Record<string, number[]> {
  const reader = openMergedReader(store.path, {
    onWarning(message) {
      throw new Error(message);
    },
  });
  // What is written while it is read may be seen or not. Even numbers are new rows, and the one behind is in the same batch.
  const newest = Number(reader.queryLogs({ source: 'writer', limit: 1 })[0]?.record.n ?? -2) + 1;
  const numbers: Record<string, number[]> = {};
  for (const { source, record } of reader.iterate({ order: 'asc' })) {
    if (source !== 'writer' || Number(record.n) <= newest) (numbers[source] ??= []).push(Number(record.n));
  }
  reader.close();
  for (const list of Object.values(numbers)) list.sort((x, y) => x - y);
  return numbers;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

async function expectUndamaged({ to }: ScratchStore): Promise<void> {
  const { findings } = await verifyArchive(to).catch((error: unknown) => {
    // Killed before the first file was there.
    if ((error as { code?: string }).code === 'ARCHIVE_MISSING') return { findings: [] };
    throw error;
  });
  expect(findings.filter(({ severity }) => severity === 'damage')).toEqual([]);
}

describe('an archiver that is killed while others write', () => {
  let store: ScratchStore;
  let writer: ChildProcess & {
    readonly stdin: NodeJS.WritableStream;
    readonly stdout: NodeJS.ReadableStream;
  };
  let bulk = 0;

  beforeAll(() => {
    store = createScratchStore();
    writer = spawn(process.execPath, [program('write.mjs'), store.path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  });
  afterAll(() => {
    writer.kill('SIGKILL');
    store.remove();
  });

  function appendOld(count: number): void {
    store.append(
      Array.from({ length: count }, () => ({
        source: 'bulk',
        ts: Date.now() - 2 * DAY_MS,
        payload: { n: bulk++ },
      })),
    );
  }

  const cases = FAILPOINTS.map((name): [Failpoint, string] => [
    name,
    name.endsWith('midway') ? `${name}:2` : name,
  ]);

  // Each run first goes on with what the one before had left.
  test.each(cases)('at %s has lost and doubled nothing', { timeout: 60_000 }, async (_, failpoint) => {
    appendOld(1300);
    expect(await runArchiver(store, failpoint)).toMatchObject({ signal: 'SIGKILL' });
    await expectUndamaged(store);
    const { bulk: bulkNumbers, writer: writerNumbers = [] } = numbersOf(store);
    expect(bulkNumbers).toEqual(upTo(bulk));
    expect(writerNumbers).toEqual(upTo(writerNumbers.length));
  });

  test('and run to its end in the end has every row exactly once', { timeout: 60_000 }, async () => {
    appendOld(1000);
    writer.stdin.end();
    const written = Number(await text(writer.stdout));
    const [one, other] = await Promise.all([runArchiver(store), runArchiver(store)]);
    // Two at once: both may come to their end, one after the other.
    expect([one, other].map(({ code }) => code)).toContain(0);
    expect(`${one.output}${other.output}`).toMatch(/deleted \d+/);
    expect(await runArchiver(store)).toMatchObject({ code: 0 });
    expect(await verifyArchive(store.to)).toMatchObject({ ok: true, findings: [] });
    expect(numbersOf(store)).toEqual({ bulk: upTo(bulk), writer: upTo(written) });
    const hot = store.rows();
    expect(hot.every(({ source, ts }) => source === 'writer' && ts >= Date.now() - 1.5 * DAY_MS)).toBe(true);
    fs.rmSync(`${store.folder}/scratch.db`, { force: true });
    const { restored } = await restoreArchive(store.to, { to: `${store.folder}/scratch.db` });
    expect(restored + hot.length).toBe(bulk + written);
    expect(fs.readdirSync(store.to).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

test.each([
  ['data file', '.gz', 100],
  ['manifest', '.manifest.json', 0],
])(
  'a %s that is damaged before its rows were deleted costs none of those that are left',
  { timeout: 60_000 },
  async (_, suffix, length) => {
    const store = createScratchStore(
      Array.from({ length: 600 }, (__, n) => ({
        source: 'bulk',
        ts: Date.now() - 2 * DAY_MS,
        payload: { n },
      })),
    );
    expect(await runArchiver(store, 'archive-sealed')).toMatchObject({ signal: 'SIGKILL' });
    const [damaged = ''] = fs.readdirSync(store.to).filter((name) => name.endsWith(suffix));
    fs.truncateSync(`${store.to}/${damaged}`, length);
    const next = await runArchiver(store);
    expect(next).toMatchObject({ code: 1, output: expect.stringContaining('notice segment-damaged') });
    expect(next.output).toContain('deleted 600');
    const { findings } = await verifyArchive(store.to);
    expect(new Set(findings.map(({ file }) => file))).toEqual(new Set([damaged]));
    const { restored } = await restoreArchive(store.to, { to: `${store.folder}/scratch.db` });
    expect(restored).toBe(600);
    store.remove();
  },
);

test.each<[string, (to: string) => ArchiveOptions]>([
  ['another folder', (to) => ({ to: `${to}-right`, olderThan: '1d' })],
  ['an earlier cut', (to) => ({ to, olderThan: '30d' })],
])(
  'a plan of a mistaken run does not take rows from the next run, which asks for %s',
  { timeout: 60_000 },
  async (_, options) => {
    const ages = [2, 40];
    const store = createScratchStore(
      ages.map((days) => ({ source: `${days} days`, ts: Date.now() - days * DAY_MS })),
    );
    expect(await runArchiver(store, 'archive-planned')).toMatchObject({ signal: 'SIGKILL' });
    const { to, olderThan } = options(store.to);
    const notices: string[] = [];
    const result = await archive(store, { to, olderThan }, { onNotice: ({ kind }) => notices.push(kind) });
    expect(notices).toEqual(['dropped']);
    expect(result.segments.every(({ folder }) => folder === to)).toBe(true);
    expect(store.rows().map(({ source }) => source)).toEqual(olderThan === '30d' ? ['2 days'] : []);
    expect(await verifyArchive(to)).toMatchObject({ ok: true, rows: result.deleted });
    store.remove();
  },
);

test(
  'what a run before had archived elsewhere is deleted, and named by itself',
  { timeout: 60_000 },
  async () => {
    const store = createScratchStore([{ source: 'old', ts: Date.now() - 2 * DAY_MS }]);
    expect(await runArchiver(store, 'archive-sealed')).toMatchObject({ signal: 'SIGKILL' });
    const result = await archive(store, { to: `${store.to}-other`, olderThan: '30d' });
    expect(result).toMatchObject({ deleted: 1, segments: [], finished: { folder: store.to, deleted: 1 } });
    store.remove();
  },
);

test.each(FAILPOINTS)('the README says what holds after %s', (name) => {
  expect(readme).toMatch(new RegExp(`^\\|.*\`${name}\`.*\\|`, 'm'));
});

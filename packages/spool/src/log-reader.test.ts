import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLogReader, type Damage, type LogReader } from './log-reader.ts';
import { createLog, type LogWriter } from './log-writer.ts';
import { segmentPath } from './segment-files.ts';
import type { WriteBytes } from './segment-writer.ts';

let root: string;
let log: LogWriter;
let damage: Damage[];
let onWrite: WriteBytes | undefined;
const readers: LogReader[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spool-reader-'));
  log = createLog({
    stateDirectory: root,
    service: 'api',
    segmentBytes: 4096,
    write: (...args) => (onWrite ?? writeSync)(...args),
  });
  onWrite = undefined;
  damage = [];
});
afterEach(() => {
  for (const reader of readers.splice(0)) reader.close();
  log.remove();
  rmSync(root, { recursive: true, force: true });
});

test('a directory that is no log’s is refused', () => {
  expect(() => openLogReader('/somewhere/x', { follow: true, onDamage: () => {} })).toThrow(
    'directory must be a log\'s; got "/somewhere/x"',
  );
});

test('a reader that waits for a log that does not exist yet finds its first lines', () => {
  const reader = open({ follow: true });
  expect(reader.next()).toBeUndefined();
  append(0, 3);
  expect(seqs(reader)).toEqual([0, 1, 2]);
  expect(reader.next()).toBeUndefined();
  append(3, 2);
  expect(seqs(reader)).toEqual([3, 4]);
});

test('small frames are joined, up to the size of a run and never over a gap', () => {
  for (let seq = 0; seq < 10; seq++) append(seq, 1, 40);
  append(20, 1, 30);
  append(21, 1, 50);
  const reader = open({ runBytes: 150 });
  const runs = [];
  for (let run = reader.next(); run !== undefined; run = reader.next()) {
    runs.push([run.firstSeq, run.count, run.maxLevel]);
    expect(run.bytes.length).toBeLessThanOrEqual(150);
    expect(run.bytes.toString().split('\n')).toHaveLength(run.count + 1);
  }
  expect(runs).toEqual([
    [0, 4, 40],
    [4, 4, 40],
    [8, 2, 40],
    [20, 2, 50],
  ]);
});

test.each([
  [0, 0],
  [7, 7],
  [14, 14],
  [15, 20],
  [1018, 1018],
])('from record %d on reading begins with %d', (fromSeq, first) => {
  append(0, 5);
  append(5, 10);
  for (let seq = 20; seq < 1020; seq += 10) append(seq, 10);
  const reader = open({ fromSeq });
  expect(reader.nextSeq).toBe(fromSeq);
  expect(reader.next()?.firstSeq).toBe(first);
  reader.seek(3);
  expect(reader.next()?.firstSeq).toBe(3);
  expect(damage).toEqual([]);
});

test('beyond the end of the log there is nothing, until it is written', () => {
  append(0, 5);
  const reader = open({ follow: true, fromSeq: 7 });
  expect(reader.next()).toBeUndefined();
  append(5, 5);
  expect(seqs(reader)).toEqual([7, 8, 9]);
});

test('lines that were handed out stay as they were while reading goes on', () => {
  for (let seq = 0; seq < 400; seq++) append(seq, 1);
  const reader = open({ runBytes: 500 });
  const runs = [];
  for (let run = reader.next(); run !== undefined; run = reader.next())
    runs.push({ run, text: run.bytes.toString() });
  expect(runs.length).toBeGreaterThan(10);
  expect(runs.every(({ run, text }) => run.bytes.toString() === text)).toBe(true);
});

test('a segment file that is gone is told with the number of its records', () => {
  for (let seq = 0; seq < 500; seq += 10) append(seq, 10);
  rmSync(segmentPath(log.directory, 2));
  const all = seqs(open({}));
  expect(damage).toMatchObject([{ reason: 'missing', records: 500 - all.length, bytes: 0 }]);
  expect(damage[0]?.fromSeq).toBe(all.findIndex((seq, index) => seq !== index));
});

test('records that were never written to the log are no damage', () => {
  append(0, 5);
  append(1000, 5);
  for (let seq = 2000; seq < 9000; seq += 1000) append(seq, 10);
  expect(seqs(open({}))).toHaveLength(80);
  expect(damage).toEqual([]);
});

test('damage before the first wanted record is nobody’s concern', () => {
  for (let seq = 0; seq < 50; seq += 5) append(seq, 5);
  corrupt(1, 150);
  expect(seqs(open({ fromSeq: 30 }))).toEqual(Array.from({ length: 20 }, (_, index) => 30 + index));
  expect(damage).toEqual([]);
});

test('damage is told before the lines that follow it are returned', () => {
  append(0, 2);
  append(2, 2);
  append(4, 2);
  // A header of 64 bytes, frames of 40 and two lines of 37, and then into the second frame's lines.
  corrupt(1, 64 + 114 + 50);
  const reader = open({});
  expect(reader.next()?.firstSeq).toBe(0);
  expect(damage).toEqual([]);
  expect(reader.next()?.firstSeq).toBe(4);
  expect(damage).toMatchObject([{ reason: 'corrupt', records: 2, fromSeq: 2, toSeq: 3 }]);
});

test('a damaged segment header costs nothing', () => {
  append(0, 2);
  corrupt(1, 30);
  expect(seqs(open({}))).toEqual([0, 1]);
  expect(damage).toEqual([]);
});

test('a frame of a segment that stands in another one’s place is not read', () => {
  for (let seq = 0; seq < 500; seq += 10) append(seq, 10);
  writeFileSync(segmentPath(log.directory, 3), readFileSync(segmentPath(log.directory, 2)));
  const all = seqs(open({}));
  expect(new Set(all).size).toBe(all.length);
  expect(damage).toMatchObject([{ reason: 'corrupt', records: 500 - all.length }]);
});

test('a reader that looks while a frame is half written, which then is cut off, reads the next one', () => {
  const reader = open({ follow: true });
  append(0, 1);
  expect(seqs(reader)).toEqual([0]);
  for (const length of [10, 50, 70]) {
    onWrite = (fd, bytes, offset) => {
      writeSync(fd, bytes, offset, length);
      expect(reader.next()).toBeUndefined();
      onWrite = undefined;
      throw new Error('refused');
    };
    expect(log.append(log.lastSeq + 1, 2, `{"msg":"${'longer'.repeat(20)}"}\n{}\n`)).toBe('io-error');
    append(log.lastSeq + 1, 1);
    expect(seqs(reader)).toEqual([log.lastSeq]);
  }
});

test('a thread reads everything in order while another one writes', async () => {
  append(0, 1);
  // A directory that takes long to list makes room for what may happen between two looks at a segment's end.
  for (let n = 0; n < 2000; n++) writeFileSync(join(log.directory, `other-${n}`), '');
  const worker = new Worker(
    `
    import { parentPort, workerData } from 'node:worker_threads';
    const { openLogReader } = await import(workerData.spool);
    const reader = openLogReader(workerData.directory, { follow: true, onDamage: (d) => parentPort.postMessage({ damage: d }) });
    let expected = 0;
    let runs = 0;
    while (expected < workerData.records) {
      const run = reader.next();
      if (run === undefined) continue;
      runs++;
      for (const line of run.bytes.toString().trimEnd().split('\\n')) {
        const { seq } = JSON.parse(line);
        if (seq !== expected++) throw new Error('expected ' + (expected - 1) + ', got ' + seq);
      }
    }
    parentPort.postMessage({ runs });
    `,
    {
      eval: true,
      workerData: {
        spool: new URL('../dist/index.js', import.meta.url).href,
        directory: log.directory,
        records: 8_000,
      },
    },
  );
  await once(worker, 'online');
  const [message] = await Promise.all([once(worker, 'message'), writeMany(8_000)]);
  await worker.terminate();
  expect(message).toEqual([{ runs: expect.any(Number) }]);
});

/** In bursts longer than a segment, with time between them for the reader to come to the end and look for more. */
async function writeMany(records: number): Promise<void> {
  for (let seq = 1; seq < records; seq++) {
    append(seq, 1);
    if (seq % 80 === 0) await sleep(3);
  }
}

function append(firstSeq: number, count: number, maxLevel?: number): void {
  const lines = Array.from(
    { length: count },
    (_, index) => `{"level":30,"seq":${firstSeq + index},"msg":"abcdefg"}\n`,
  );
  expect(log.append(firstSeq, count, lines.join(''), maxLevel)).toBe('appended');
}

function open(options: { follow?: boolean; fromSeq?: number; runBytes?: number }): LogReader {
  const reader = openLogReader(log.directory, {
    follow: false,
    onDamage: (found) => damage.push(found),
    ...options,
  });
  readers.push(reader);
  return reader;
}

function seqs(reader: LogReader): number[] {
  const all: number[] = [];
  for (let run = reader.next(); run !== undefined; run = reader.next()) {
    for (const match of run.bytes.toString().matchAll(/"seq":(\d+)/g)) all.push(Number(match[1]));
  }
  return all;
}

function corrupt(index: number, at: number): void {
  const path = segmentPath(log.directory, index);
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  writeFileSync(path, bytes);
}

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { adoptLogs } from './adoption.ts';
import { readCursors } from './cursors.ts';
import { openLogReader, type Damage } from './log-reader.ts';
import { createLog, type LogOptions } from './log-writer.ts';

let root: string;
let options: LogOptions;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spool-writer-'));
  options = { stateDirectory: join(root, 'logs', '.treeline'), service: 'api' };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const LINE = '{"level":30,"msg":"hello"}\n';

test('nothing is on disk before the first append', () => {
  const log = createLog(options);
  expect([log.bytes, log.lastSeq]).toEqual([0, -1]);
  expect(log.sync()).toBe(true);
  expect(log.releaseUpTo(100)).toBe(0);
  log.remove();
  expect(readdirSync(root)).toEqual([]);
});

test('everything in the state directory is the user’s alone, and what lies above is as usual', () => {
  const before = process.umask(0o022);
  const log = createLog(options);
  try {
    expect(log.append(0, 1, LINE)).toBe('appended');
  } finally {
    process.umask(before);
  }
  expect(mode(join(root, 'logs'))).toBe('755');
  for (const directory of [options.stateDirectory, dirname(log.directory), log.directory])
    expect(mode(directory)).toBe('700');
  expect(mode(join(log.directory, '0000000000000001.seg'))).toBe('600');
  log.remove();
});

test('the service is one directory’s name, whatever it holds', async () => {
  for (const service of [
    '..',
    '../x',
    '/etc',
    '.',
    'a/b',
    'a\0b',
    '\ud800',
    'ü'.repeat(300),
    'con:*?',
    '__proto__',
  ]) {
    const log = createLog({ ...options, service });
    expect(log.append(0, 1, LINE)).toBe('appended');
    expect(dirname(dirname(log.directory))).toBe(options.stateDirectory);
    log.close();
    const { logs } = await adoptLogs({ ...options, service });
    expect(logs.map(({ logId }) => logId)).toEqual([log.logId]);
    logs[0]?.remove();
  }
});

test.each([
  [{ segmentBytes: 100 }, 'segmentBytes must be a whole number of at least 4096; got 100'],
  [{ segmentBytes: 8192, maxBytes: 8192 }, 'maxBytes must be at least twice segmentBytes (8192); got 8192'],
  [{ maxBytes: Number.NaN }, 'maxBytes must be at least twice segmentBytes (8388608); got NaN'],
  [{ service: '' }, 'service must be a non-empty string; got ""'],
])('options %j are refused at once', (wrong, message) => {
  expect(() => createLog({ ...options, ...wrong })).toThrow(message);
});

test('sequence numbers may jump but never go back', () => {
  const log = createLog(options);
  expect(log.append(5, 2, LINE + LINE)).toBe('appended');
  expect(log.append(6, 1, LINE)).toBe('out-of-order');
  expect(log.append(100, 1, LINE)).toBe('appended');
  expect(log.lastSeq).toBe(100);
  log.remove();
});

test('a closed log says so', () => {
  const log = createLog(options);
  log.append(0, 1, LINE);
  log.close();
  log.close();
  expect(log.append(1, 1, LINE)).toBe('closed');
  log.remove();
  expect(existsSync(log.directory)).toBe(true);
});

test('a full log refuses until segments are released', () => {
  const log = createLog({ ...options, segmentBytes: 4096, maxBytes: 8192 });
  const chunk = LINE.repeat(50);
  let seq = 0;
  while (log.append(seq, 50, chunk) === 'appended') seq += 50;
  expect(log.append(seq, 50, chunk)).toBe('full');
  expect(log.bytes).toBeLessThanOrEqual(8192);
  expect(log.releaseUpTo(seq)).toBeGreaterThan(0);
  expect(log.append(seq, 50, chunk)).toBe('appended');
  log.remove();
});

test('a frame over 64 MiB is refused, one of 10 MiB is kept whole', () => {
  const log = createLog(options);
  expect(log.append(0, 1, Buffer.alloc(64 * 1024 * 1024 + 1))).toBe('too-large');
  const line = `{"msg":"${'é'.repeat(5 * 1024 * 1024)}"}\n`;
  expect(log.append(0, 1, line)).toBe('appended');
  expect(readText(log.directory)).toBe(line);
  log.remove();
});

test('a disk that fills up costs the append that met it and nothing else', ({ skip }) => {
  const disk = join(root, 'disk');
  mkdirSync(disk);
  try {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    skip('mounting a small tmpfs needs root');
  }
  try {
    const log = createLog({ ...options, stateDirectory: join(disk, '.treeline'), segmentBytes: 64 * 1024 });
    const lines = LINE.repeat(300);
    let seq = 0;
    while (log.append(seq, 300, lines) === 'appended') seq += 300;
    expect(log.append(seq, 300, lines)).toBe('no-space');
    expect(log.lastError?.message).toContain('ENOSPC');
    expect(readText(log.directory)).toBe(LINE.repeat(seq));
    // The oldest segment makes room, and writing goes on.
    expect(log.releaseUpTo(Math.floor(seq / 2))).toBeGreaterThan(0);
    expect(log.append(seq, 300, lines)).toBe('appended');
    log.remove();
  } finally {
    execFileSync('/bin/umount', [disk]);
  }
});

test('a file that can neither be completed nor cut back is left, and its remains cost no record', () => {
  let isFailing = false;
  const write = (fd: number, bytes: Buffer, offset: number, length: number): number => {
    if (!isFailing) return writeSync(fd, bytes, offset, length);
    writeSync(fd, bytes, offset, Math.min(20, length));
    closeSync(fd);
    throw Object.assign(new Error('the disk is gone'), { code: 'EIO' });
  };
  const log = createLog({ ...options, write });
  log.append(0, 1, LINE);
  isFailing = true;
  expect(log.append(1, 1, LINE)).toBe('io-error');
  expect(log.lastError?.message).toBe('the disk is gone');
  isFailing = false;
  expect(log.append(2, 1, LINE)).toBe('appended');
  const damage: Damage[] = [];
  const reader = openLogReader(log.directory, { follow: false, onDamage: (found) => damage.push(found) });
  expect([reader.next()?.firstSeq, reader.next()?.firstSeq, reader.next()]).toEqual([0, 2, undefined]);
  reader.close();
  expect(damage).toMatchObject([{ reason: 'torn', records: 0, bytes: 20 }]);
  log.remove();
});

test('a log whose directory was deleted under it goes on in a new one, with its owner', async () => {
  const log = createLog({ ...options, segmentBytes: 4096 });
  log.append(0, 1, LINE);
  rmSync(options.stateDirectory, { recursive: true });
  const chunk = LINE.repeat(100);
  for (let seq = 1; seq < 1000; seq += 100) expect(log.append(seq, 100, chunk)).toBe('appended');
  expect(existsSync(log.directory)).toBe(true);
  expect((await adoptLogs(options)).logs).toEqual([]);
  log.remove();
});

test('a state directory that can’t be made refuses the append with the reason', () => {
  const log = createLog({ ...options, stateDirectory: '/dev/null/above/state' });
  expect(log.append(0, 1, LINE)).toBe('io-error');
  expect(log.lastError?.message).toContain('ENOTDIR');
  log.close();
});

test('a sync in the background holds over the roll to another segment and the end of the log', async () => {
  const log = createLog({ ...options, segmentBytes: 4096, durability: 'power' });
  const chunk = LINE.repeat(60);
  log.append(0, 60, chunk);
  const first = log.syncInBackground();
  const second = log.syncInBackground();
  for (let seq = 60; seq < 6000; seq += 60) log.append(seq, 60, chunk);
  expect(await Promise.all([first, second])).toEqual([true, true]);
  const last = log.syncInBackground();
  log.close();
  expect(await last).toBe(true);
});

function mode(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

function readText(directory: string): string {
  const damage: unknown[] = [];
  const reader = openLogReader(directory, { follow: false, onDamage: (found) => damage.push(found) });
  let text = '';
  for (let run = reader.next(); run !== undefined; run = reader.next()) text += run.bytes.toString();
  reader.close();
  expect(damage).toEqual([]);
  return text;
}

test('the streams of a log are written down before its first frame', () => {
  const settledSeqs = new Map([
    ['a', 3],
    ['b', -1],
  ]);
  const log = createLog({ ...options, settledSeqs: () => settledSeqs });
  expect(readCursors(log.directory).state).toBe('missing');
  expect(log.append(4, 1, '{}\n')).toBe('appended');
  const { streams } = readCursors(log.directory);
  expect([...streams].map(([key, { seq }]) => [key, seq])).toEqual([...settledSeqs]);
  log.remove();
});

test('a log whose first cursors can not be written takes nothing, and the next append tries again', () => {
  let key = 'x'.repeat(20 * 1024 * 1024);
  const log = createLog({ ...options, settledSeqs: () => new Map([[key, 0]]) });
  expect(log.append(1, 1, '{}\n')).toBe('io-error');
  expect(log.lastError?.message).toContain('too-large');
  key = 'a';
  expect(log.append(1, 1, '{}\n')).toBe('appended');
  log.remove();
});

test('the oldest segment can be given up, but not the one being written', () => {
  const log = createLog({ ...options, segmentBytes: 4096 });
  for (let seq = 0; seq < 600; seq += 20) log.append(seq, 20, LINE.repeat(20));
  const before = log.bytes;
  const lastSeq = log.dropOldestSegment() ?? NaN;
  expect(log.bytes).toBeLessThan(before);
  expect(readText(log.directory)).toBe(LINE.repeat(599 - lastSeq));
  while (log.dropOldestSegment() !== undefined);
  expect(log.append(600, 1, LINE)).toBe('appended');
  expect(readText(log.directory).endsWith(LINE)).toBe(true);
  log.remove();
});

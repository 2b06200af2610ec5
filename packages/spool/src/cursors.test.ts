import { array, assert as assertProperty, double, integer, nat, property, tuple } from 'fast-check';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CURSORS_FILE, openCursors, readCursors } from './cursors.ts';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'spool-cursors-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('cursors come back with their counters, for streams of any name', () => {
  const cursors = openCursors(directory);
  expect(cursors.state).toBe('missing');
  cursors.set('db@1a2b', { seq: 7, counters: { delivered: 5, dropped: 2 } });
  cursors.set('__proto__', { seq: -1, counters: { constructor: 1 } });
  cursors.close();
  const stored = readCursors(directory);
  expect(stored.state).toBe('read');
  expect([...stored.streams]).toEqual([
    ['db@1a2b', { seq: 7, counters: { delivered: 5, dropped: 2 } }],
    ['__proto__', { seq: -1, counters: { constructor: 1 } }],
  ]);
});

test('streams of an earlier config are kept until they are deleted', () => {
  const first = openCursors(directory);
  first.set('old', { seq: 1, counters: {} });
  first.close();
  const second = openCursors(directory);
  second.set('new', { seq: 2, counters: {} });
  second.write();
  expect([...readCursors(directory).streams.keys()]).toEqual(['old', 'new']);
  second.delete('old');
  second.close();
  expect([...readCursors(directory).streams.keys()]).toEqual(['new']);
});

test('they go on in the file that took the place of one that was deleted under them', () => {
  const cursors = openCursors(directory);
  cursors.set('db', { seq: 1, counters: {} });
  cursors.write();
  rmSync(directory, { recursive: true });
  cursors.set('db', { seq: 2, counters: {} });
  expect(cursors.write()).toBe('no-log');
  mkdirSync(directory);
  const other = openCursors(directory);
  other.set('db', { seq: 0, counters: {} });
  other.close();
  expect(cursors.write()).toBe('written');
  expect(readCursors(directory).streams.get('db')?.seq).toBe(2);
});

test('they are written when something moved, every 250 ms or after 1 MiB', () => {
  const cursors = openCursors(directory);
  expect(cursors.writeIfDue(0)).toBe(false);
  const steps: [nowMs: number, progressBytes: number, isWritten: boolean][] = [
    [1_000, 10, true],
    [1_249, 10, false],
    [1_250, 10, true],
    [1_300, 1024 * 1024 - 1, false],
    [1_301, 1, true],
    [1_302, 10, false],
    [1_551, 0, true],
  ];
  for (const [step, [nowMs, progressBytes, isWritten]] of steps.entries()) {
    cursors.set('s', { seq: step, counters: {} }, progressBytes);
    expect([nowMs, cursors.writeIfDue(nowMs)]).toEqual([nowMs, isWritten]);
    expect(readCursors(directory).streams.get('s')?.seq === step).toBe(isWritten);
  }
  expect(cursors.writeIfDue(9_999)).toBe(false);
  cursors.close();
});

test('while nothing of the log is on disk they wait, and are written once it is', () => {
  const later = join(directory, 'later');
  const cursors = openCursors(later);
  cursors.set('s', { seq: 3, counters: {} });
  expect(cursors.write()).toBe('no-log');
  expect(cursors.writeIfDue(0)).toBe(false);
  mkdirSync(later);
  expect(cursors.writeIfDue(250)).toBe(true);
  expect(readCursors(later).streams.get('s')?.seq).toBe(3);
  cursors.close();
});

test('a file for many streams is replaced by a larger one', () => {
  const cursors = openCursors(directory);
  const outcomes = new Set<string>();
  for (let n = 0; n < 1000; n++) {
    cursors.set(`stream-${n}`, { seq: n, counters: { delivered: n } });
    if (n % 50 === 0) outcomes.add(cursors.write());
  }
  cursors.close();
  expect([...outcomes]).toEqual(['written']);
  expect(readCursors(directory).streams.size).toBe(1000);
  expect(statSync(join(directory, CURSORS_FILE)).size).toBeLessThan(1024 * 1024);
});

test('a write that was cut at any byte leaves the one before', () => {
  assertProperty(
    property(
      array(nat(1_000_000), { minLength: 2, maxLength: 5 }),
      double({ min: 0, max: 1, noNaN: true }),
      (seqs, cut) => {
        rmSync(join(directory, CURSORS_FILE), { force: true });
        for (const seq of seqs.slice(0, -1)) writeOnce(seq);
        const before = readFileSync(join(directory, CURSORS_FILE));
        writeOnce(seqs.at(-1) ?? 0);
        const after = readFileSync(join(directory, CURSORS_FILE));
        const first = after.findIndex((byte, index) => byte !== before[index]);
        const end = after.findLastIndex((byte, index) => byte !== before[index]) + 1;
        after.copy(before, first, first, first + Math.floor(cut * (end - first)));
        writeFileSync(join(directory, CURSORS_FILE), before);
        const seq = readCursors(directory).streams.get('s')?.seq;
        expect(seqs.slice(-2)).toContain(seq);
      },
    ),
  );
});

test('whatever stands in the file, reading it gives cursors that were written or tells the damage', () => {
  assertProperty(
    property(
      array(tuple(nat(8191), integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 10 }),
      (flips) => {
        rmSync(join(directory, CURSORS_FILE), { force: true });
        writeOnce(1);
        writeOnce(2);
        const fd = openSync(join(directory, CURSORS_FILE), 'r+');
        for (const [at, byte] of flips) writeSync(fd, Buffer.of(byte), 0, 1, at);
        closeSync(fd);
        const { state, streams } = readCursors(directory);
        expect(state === 'damaged' ? [undefined] : [1, 2]).toContain(streams.get('s')?.seq);
      },
    ),
  );
});

test.each([[''], ['x'], ['\xffLCR'.repeat(3000)]])(
  'a file that holds %j is damaged, and replaced by the next write',
  (text) => {
    writeFileSync(join(directory, CURSORS_FILE), text, 'latin1');
    expect(readCursors(directory).state).toBe('damaged');
    const cursors = openCursors(directory);
    expect(cursors.state).toBe('damaged');
    cursors.set('s', { seq: 1, counters: {} });
    cursors.close();
    expect(readCursors(directory).state).toBe('read');
  },
);

function writeOnce(seq: number): void {
  const cursors = openCursors(directory);
  cursors.set('s', { seq, counters: {} });
  cursors.close();
}

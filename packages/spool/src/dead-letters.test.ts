import { mkdtempSync, readdirSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  claimDeadLetters,
  listDeadLetters,
  readDeadLetters,
  removeDeadLetters,
  type DeadLetter,
} from './dead-letter-files.ts';
import { openDeadLetters, type DeadLetterOptions } from './dead-letters.ts';

let stateDirectory: string;
let options: DeadLetterOptions;
beforeEach(() => {
  stateDirectory = mkdtempSync(join(tmpdir(), 'spool-letters-'));
  options = { stateDirectory, service: 'api', streamKey: 'search/es@1a2b' };
});
afterEach(() => rmSync(stateDirectory, { recursive: true, force: true }));

test('dead letters are found under their service and stream, and come back as they were', () => {
  const letters = openDeadLetters(options);
  expect(readdirSync(stateDirectory)).toEqual([]);
  const kept = [
    letter(1, '{"level":30,"msg":"é"}'),
    letter(2, Buffer.from([0x7b, 0xff, 0xfe, 0x7d])),
    letter(3, ''),
  ];
  for (const each of kept) expect(letters.append(each)).toBe('appended');
  letters.close();
  expect(letters.append(letter(4))).toBe('closed');
  const files = listDeadLetters(stateDirectory);
  expect(files).toMatchObject([{ service: 'api', streamKey: 'search/es@1a2b' }]);
  expect(readDeadLetters(files[0]?.path ?? '')).toEqual({ letters: kept, doubles: 0, tornBytes: 0 });
});

test('a record that was kept twice is read once', () => {
  const letters = openDeadLetters(options);
  letters.append(letter(1));
  letters.append(letter(1));
  letters.append({ ...letter(1), logId: 'another' });
  letters.close();
  expect(readAll()).toMatchObject({ doubles: 1, letters: [{ logId: 'log' }, { logId: 'another' }] });
});

test('a letter that was cut is told by its bytes', () => {
  const letters = openDeadLetters(options);
  letters.append(letter(1));
  letters.append(letter(2));
  letters.close();
  const [file] = listDeadLetters(stateDirectory);
  truncateSync(file?.path ?? '', (file?.bytes ?? 0) - 7);
  const { letters: left, tornBytes } = readAll();
  expect(left.map(({ seq }) => seq)).toEqual([1]);
  expect(tornBytes).toBe((file?.bytes ?? 0) / 2 - 7);
});

test('past its limit a stream keeps no more, those of other processes counted, until a replay has made room', () => {
  const limited = { ...options, maxBytes: 1_000 };
  const mine = openDeadLetters(limited);
  const others = openDeadLetters(limited);
  let kept = 0;
  while (others.append(letter(kept)) === 'appended') kept++;
  expect(kept).toBeGreaterThan(3);
  expect(mine.append(letter(100))).toBe('full');
  for (const { path } of listDeadLetters(stateDirectory)) removeDeadLetters(claimDeadLetters(path));
  expect(mine.append(letter(100))).toBe('appended');
  others.close();
  mine.close();
});

test('a full disk refuses the letter and leaves those before whole', () => {
  let isFull = false;
  const write = (fd: number, bytes: Buffer, offset: number, length: number): number => {
    if (!isFull) return writeSync(fd, bytes, offset, length);
    if (offset > 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    return writeSync(fd, bytes, offset, 10);
  };
  const letters = openDeadLetters({ ...options, write });
  letters.append(letter(1));
  isFull = true;
  expect(letters.append(letter(2))).toBe('no-space');
  expect(letters.lastError?.message).toBe('no space left');
  isFull = false;
  expect(letters.append(letter(3))).toBe('appended');
  letters.close();
  expect(readAll()).toMatchObject({ letters: [{ seq: 1 }, { seq: 3 }], tornBytes: 0 });
});

test('letters that are written while a replay takes the file are in its part or in the next file', () => {
  let onWrite: (() => void) | undefined;
  const write = (fd: number, bytes: Buffer, offset: number, length: number): number => {
    const taken = writeSync(fd, bytes, offset, length);
    onWrite?.();
    return taken;
  };
  const letters = openDeadLetters({ ...options, write });
  letters.append(letter(1));
  let claimed = '';
  onWrite = () => {
    onWrite = undefined;
    // The replay has read to the end before the write, and removes the file after it.
    claimed = claimDeadLetters(listDeadLetters(stateDirectory)[0]?.path ?? '');
    expect(listDeadLetters(stateDirectory).map(({ path }) => path)).toEqual([claimed]);
    removeDeadLetters(claimed);
  };
  expect(letters.append(letter(2))).toBe('appended');
  letters.close();
  expect(readAll()).toMatchObject({ letters: [{ seq: 2 }] });
});

test('only a claimed file can be removed', () => {
  const letters = openDeadLetters(options);
  letters.append(letter(1));
  letters.close();
  const path = listDeadLetters(stateDirectory)[0]?.path ?? '';
  expect(() => removeDeadLetters(path)).toThrow('path must be what claimDeadLetters returned');
  const claimed = claimDeadLetters(path);
  expect(claimDeadLetters(claimed)).toBe(claimed);
  removeDeadLetters(claimed);
  expect(listDeadLetters(stateDirectory)).toEqual([]);
});

function letter(seq: number, line: string | Buffer = '{"msg":"refused"}'): DeadLetter {
  return {
    logId: 'log',
    seq,
    atMs: 1_760_000_000_000,
    reason: 'mapper_parsing_exception',
    line: Buffer.from(line),
  };
}

function readAll(): ReturnType<typeof readDeadLetters> {
  return readDeadLetters(listDeadLetters(stateDirectory)[0]?.path ?? '');
}

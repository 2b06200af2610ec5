import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { LogFolder, until } from './log-folder.test.fixture.ts';
import type { FileOptions } from './index.ts';
import { readWritten, repeated, WritingProcess } from './writing-process.test.fixture.ts';

const NOBODY = 65_534;
const PATIENCE_MS = 30_000;

/** Mounts a small disk over a folder, and takes it away at the end. */
function mountDisk(folder: string, options: string, skip: TestContext['skip']): Disposable {
  try {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    skip('mounting a small tmpfs needs root');
  }
  return { [Symbol.dispose]: () => execFileSync('/bin/umount', ['--lazy', folder]) };
}

/** Whether a folder could be removed in which somebody may be making files at the same time. */
function isRemoved(folder: string): boolean {
  try {
    fs.rmSync(folder, { recursive: true, force: true });
    return true;
  } catch {
    return false;
  }
}

describe('nothing is lost, and all goes on by itself', { timeout: 60_000 }, () => {
  test('when a full disk has room again', async ({ skip }) => {
    await using folder = new LogFolder();
    using _disk = mountDisk(folder.path, 'size=4m', skip);
    fs.writeFileSync(folder.at('ballast'), Buffer.alloc(2 * 1024 ** 2));
    const options: FileOptions = { path: folder.at('app.log'), rotation: { size: '700K' } };
    const processes = [0, 1].map((writer) => new WritingProcess({ options, writer, count: 4_500 }));
    await until(
      () => processes.some(({ faults }) => faults.includes('ENOSPC')),
      'the disk to be full',
      PATIENCE_MS,
    );
    fs.rmSync(folder.at('ballast'));
    await Promise.all(processes.map(({ ended }) => ended));
    const { seen, torn } = readWritten(folder.path);
    expect([seen.size, repeated(seen), torn]).toEqual([9_000, [], []]);
  });

  test('when a folder that was made read-only is writable again', async ({ skip }) => {
    await using folder = new LogFolder();
    const options: FileOptions = { path: folder.at('app.log'), rotation: { size: '64K' } };
    const writing = new WritingProcess({ options, count: 3_000, perBatch: 50, pauseMs: 10 });
    await until(() => writing.written > 0, 'the first records', PATIENCE_MS);
    {
      using _disk = mountDisk(folder.path, 'ro', skip);
      await until(() => writing.faults.includes('EROFS'), 'the fault', PATIENCE_MS);
    }
    await writing.ended;
    const { seen, torn } = readWritten(folder.path);
    expect([seen.size, repeated(seen), torn]).toEqual([3_000, [], []]);
  });

  test('when a user that has lost its permission gets it back', async ({ skip }) => {
    if (process.getuid?.() !== 0) skip('another user is made by root alone');
    await using folder = new LogFolder();
    fs.chownSync(folder.path, NOBODY, NOBODY);
    const options: FileOptions = { path: folder.at('app.log'), rotation: { size: '1M' } };
    const writing = new WritingProcess({ options, count: 3_000, perBatch: 50, pauseMs: 10, uid: NOBODY });
    await until(() => writing.written > 0, 'the first records', PATIENCE_MS);
    fs.chownSync(folder.path, 0, 0);
    fs.chmodSync(folder.path, 0o755);
    // An open file can be written for ever; the next one can't be made.
    fs.renameSync(folder.at('app.log'), folder.at('app.log.moved'));
    await until(() => writing.faults.includes('EACCES'), 'the fault', PATIENCE_MS);
    fs.chownSync(folder.path, NOBODY, NOBODY);
    await writing.ended;
    const { seen, torn } = readWritten(folder.path);
    expect([seen.size, repeated(seen), torn]).toEqual([3_000, [], []]);
  });
});

test(
  'a folder that is deleted again and again is made again, and the writing goes on',
  { timeout: 60_000 },
  async () => {
    await using folder = new LogFolder();
    const logs = folder.at('logs');
    const options: FileOptions = {
      path: path.join(logs, 'app.log'),
      rotation: { size: '64K' },
      compress: 'gzip',
    };
    const writing = new WritingProcess({ options, count: 5_000, perBatch: 50, pauseMs: 5 });
    for (let deleted = 0; deleted < 5; deleted++) {
      const before = writing.written;
      await until(() => writing.written > before + 200, 'more records', PATIENCE_MS);
      await until(() => isRemoved(logs), 'the folder to go', PATIENCE_MS);
    }
    await writing.ended;
    const { seen, torn } = readWritten(logs);
    expect([seen.has('0:4999'), repeated(seen), torn]).toEqual([true, [], []]);
  },
);

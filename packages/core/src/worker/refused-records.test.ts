import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBatch, type SinkEvent } from '@treeline/contract';
import { listDeadLetters, readDeadLetters } from '@treeline/spool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { StreamCounters } from '../control-block.ts';
import { RefusedRecords } from './refused-records.ts';
import { StreamAccount } from './stream-account.ts';

const line = Buffer.from('{"level":30,"msg":"odd"}\n');
const inLog = createBatch(line, { logId: 'log-1', seq: 7 });
const notice = createBatch(line);

describe('what a destination refuses for good', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'treeline-refused-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function refusedBy(stream: { type: string; path?: string }, stateDirectory = folder): RefusedRecords {
    const { config } = loadConfig({ stateDirectory, streams: [{ name: 'main', ...stream }] });
    const [only] = config.streams;
    if (!only) throw new Error('a config of one stream');
    return new RefusedRecords(config, only);
  }

  test('is kept with its place in the log and without its line feed', () => {
    const refused = refusedBy({ type: 'file', path: 'a.log' });
    const outcome = refused.keep(inLog, [{ line, seq: 7, reason: 'odd' }]);
    refused.close();
    expect(outcome).toEqual({ kept: 1, dropped: new Map() });
    const letters = listDeadLetters(folder).flatMap(({ path }) => readDeadLetters(path).letters);
    expect(letters).toMatchObject([
      { logId: 'log-1', seq: 7, reason: 'odd', line: Buffer.from('{"level":30,"msg":"odd"}') },
    ]);
  });

  test('is dropped and counted where the disk does not take it', () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    const refused = refusedBy({ type: 'file', path: 'a.log' }, file);
    const outcome = refused.keep(inLog, [{ line, seq: 7, reason: 'odd' }]);
    expect(outcome).toEqual({ kept: 0, dropped: new Map([['disk-fault', 1]]) });
  });

  test('is dropped, and told as dead letters that a full disk does not keep', ({ skip }) => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    try {
      execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      skip('mounting a small tmpfs needs root');
    }
    const refused = refusedBy({ type: 'file', path: 'a.log' }, disk);
    try {
      const large = Buffer.from(`{"level":30,"msg":"${'x'.repeat(80 * 1024)}"}\n`);
      const outcome = refused.keep(inLog, [{ line: large, seq: 7, reason: 'odd' }]);
      expect(outcome).toEqual({ kept: 0, dropped: new Map([['disk-full', 1]]) });
      const events: SinkEvent[] = [];
      const account = new StreamAccount(StreamCounters.create(), (event) => events.push(event));
      for (const [reason, count] of outcome.dropped) account.rememberLetters(reason, count);
      expect(events).toMatchObject([
        { type: 'full', reason: expect.stringMatching(/disk is full.*dead letters/) as string },
      ]);
    } finally {
      refused.close();
      execFileSync('/bin/umount', [disk]);
    }
  });

  test.each([
    ['a notice of ours, which stands in no log', { type: 'file', path: 'a.log' }, notice, 'refused'],
    ['a line of a console that nobody reads', { type: 'console' }, inLog, 'reader-gone'],
  ])('is dropped and not kept: %s', (_title, stream, batch, reason) => {
    const outcome = refusedBy(stream).keep(batch, [{ line, seq: 7, reason: 'odd' }]);
    expect(outcome).toEqual({ kept: 0, dropped: new Map([[reason, 1]]) });
    expect(listDeadLetters(folder)).toEqual([]);
  });
});

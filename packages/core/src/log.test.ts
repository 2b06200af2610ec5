import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTick } from 'node:timers/promises';
import { openLogReader } from '@treeline/spool';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PipelineConfig } from './config/config.ts';
import { ControlBlock } from './control-block.ts';
import { Log } from './log.ts';
import type { ToPipeline } from './protocol.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'treeline-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface OpenedLog {
  readonly log: Log;
  readonly control: ControlBlock;
  /** The lines of each chunk that was posted, as they were in the ring then. */
  readonly posted: string[];
  readonly messages: ToPipeline[];
  /** Why durability was not kept, each time that it began. */
  readonly undurable: string[];
  readonly spilled: () => string;
  readonly timesBegun: () => number;
}

function openLog(change: Partial<PipelineConfig> = {}): OpenedLog {
  const config = {
    serviceName: 'test',
    stateDirectory: folder,
    durability: 'none',
    windowBytes: 1024 * 1024,
    spool: { maxBytes: 64 * 1024 * 1024, segmentBytes: 1024 * 1024 },
    ...change,
  } as PipelineConfig;
  const control = ControlBlock.create();
  let begun = 0;
  const posted: string[] = [];
  const undurable: string[] = [];
  const messages: ToPipeline[] = [];
  const log = new Log({
    config,
    control,
    settledSeqs: () => new Map(),
    undurable: (reason) => undurable.push(reason),
    begin: () => {
      begun++;
    },
    post(message) {
      messages.push(message);
      if (message.type === 'chunk') {
        const bytes = Buffer.from(log.memory, message.start % config.windowBytes, message.length);
        posted.push(bytes.toString());
      }
      return true;
    },
  });
  const spilled = (): string => {
    const reader = openLogReader(log.directory, { follow: false, onDamage: () => undefined });
    let text = '';
    for (let run = reader.next(); run; run = reader.next()) text += run.bytes.toString();
    reader.close();
    return text;
  };
  return { log, control, posted, messages, undurable, spilled, timesBegun: () => begun };
}

const numbered = (from: number, to: number, padding = ''): string[] =>
  Array.from({ length: to - from }, (_, index) => `{"level":30,"n":${from + index},"pad":"${padding}"}\n`);

describe('Log', () => {
  test('gathers the lines of a tick, and of those that follow closely, into one chunk and numbers them from 1', async () => {
    const { log, posted, messages } = openLog();
    // Time stands still, however slow the machine.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    log.write('a\n', 1);
    log.write('b\n', 1);
    expect(posted).toEqual([]);
    await nextTick();
    for (const line of ['c\n', 'd\n']) {
      log.write(line, 1);
      await nextTick();
    }
    clock.mockRestore();
    await expect.poll(() => posted).toEqual(['a\nb\n', 'c\nd\n']);
    expect(messages).toMatchObject([
      { firstSeq: 1, count: 2 },
      { firstSeq: 3, count: 2 },
    ]);
  });

  test('closes a chunk at 64 KiB without waiting for the end of the tick', () => {
    const { log, messages } = openLog();
    const line = `${'x'.repeat(1023)}\n`;
    for (let index = 0; index < 130; index++) log.write(line, 1);
    expect(messages).toMatchObject([
      { firstSeq: 1, count: 64 },
      { firstSeq: 65, count: 64 },
    ]);
    expect(log.lastSeq).toBe(130);
  });

  test('posts no more than the credit, and spills the oldest when the window is full', () => {
    const { log, posted, control, spilled } = openLog();
    const lines = numbered(0, 20_000, 'x'.repeat(300));
    for (const line of lines) log.write(line, 1);
    log.closeChunk();
    const spilledSeq = control.read('spilledSeq');
    expect(spilledSeq).toBeGreaterThan(10_000);
    expect(spilled()).toBe(lines.slice(0, spilledSeq).join(''));
    expect(posted.join('').length).toBeLessThan(5 * 1024 * 1024);
    expect(log.usedBytes).toBeLessThanOrEqual(1024 * 1024);
    log.spillAll();
    expect(spilled()).toBe(lines.join(''));
  });

  test('spills nothing while what is posted is settled in time', () => {
    const { log, control, messages } = openLog();
    let takenBytes = 0;
    for (const line of numbered(0, 20_000, 'x'.repeat(300))) {
      log.write(line, 1);
      for (const message of messages.splice(0)) {
        if (message.type !== 'chunk') continue;
        control.write('fannedBytes', (takenBytes += message.length));
        control.write('settledSeq', message.firstSeq + message.count - 1);
      }
    }
    expect(control.read('spilledSeq')).toBe(0);
  });

  test('with durability a line is in the segments before the call returns, and is posted as well', async () => {
    const { log, spilled, posted } = openLog({ durability: 'process' });
    log.write('{"n":1}\n', 1);
    expect(spilled()).toBe('{"n":1}\n');
    log.write('{"n":2}\n', 1);
    expect(spilled()).toBe('{"n":1}\n{"n":2}\n');
    await nextTick();
    expect(posted).toEqual(['{"n":1}\n{"n":2}\n']);
  });

  test('long lines never make the worker take a kept chunk for one that was written over', () => {
    const { log, control, messages } = openLog({ windowBytes: 16 * 1024 * 1024 });
    for (const length of [10, 6_000_000, 6_000_000, 10]) log.write(`{"text":"${'x'.repeat(length)}"}\n`, 1);
    log.closeChunk();
    log.postAll();
    const oldest = messages.find((message) => message.type === 'chunk');
    expect(control.read('spilledSeq')).toBe(0);
    expect(control.read('reservedTo')).toBeLessThanOrEqual((oldest?.start ?? 0) + 16 * 1024 * 1024);
  });

  test('a line larger than the window goes into the segments, behind all before it', () => {
    const { log, spilled } = openLog({ windowBytes: 128 * 1024 });
    const [first = '', second = ''] = numbered(1, 3);
    const huge = `{"level":30,"text":"${'y'.repeat(300_000)}"}\n`;
    log.write(first, 1);
    log.write(huge, 1);
    log.write(second, 1);
    log.closeChunk();
    log.spillAll();
    expect(spilled()).toBe(first + huge + second);
    expect(log.lastSeq).toBe(3);
  });

  test('a first line that is larger than the window begins the pipeline like any other', () => {
    const { log, control, timesBegun } = openLog({ windowBytes: 128 * 1024 });
    log.write(`{"text":"${'y'.repeat(300_000)}"}\n`, 1);
    expect(timesBegun()).toBe(1);
    expect(log.hasBegun).toBe(true);
    expect(control.read('spilledSeq')).toBe(1);
    expect(log.reachableSeq).toBe(1);
  });

  test('a line of over 8 MiB arrives cut, as valid JSON that says so', () => {
    const { log, spilled } = openLog({ windowBytes: 16 * 1024 * 1024 });
    const line = `{"level":50,"time":1760000000000,"text":"${'z'.repeat(17 * 1024 * 1024)}"}\n`;
    log.write(line, 1);
    log.closeChunk();
    log.spillAll();
    const record = JSON.parse(spilled()) as Record<string, unknown>;
    expect(record).toMatchObject({ level: 50, time: 1760000000000, truncated: { chars: line.length } });
    expect(log.cutLines).toBe(1);
  });

  test('text beyond ASCII that fills the window to the edge stays whole', () => {
    const { log, spilled } = openLog({ windowBytes: 256 * 1024 });
    const lines = Array.from(
      { length: 3_000 },
      (_, n) => `{"n":${n},"text":"${'日本語👍é'.repeat(n % 37)}"}\n`,
    );
    for (const line of lines) log.write(line, 1);
    log.closeChunk();
    log.spillAll();
    expect(spilled()).toBe(lines.join(''));
  });

  test('where the log may not grow, its oldest segment is given up and the newest lines are kept', () => {
    const { log, control, messages, spilled } = openLog({
      windowBytes: 256 * 1024,
      spool: { maxBytes: 256 * 1024, segmentBytes: 64 * 1024 },
    });
    const lines = numbered(0, 10_000, 'x'.repeat(100));
    for (const line of lines) log.write(line, 1);
    log.closeChunk();
    log.spillAll();
    expect(messages).toContainEqual({ type: 'overrun', reason: 'log-full' });
    const kept = spilled();
    expect(kept.length).toBeLessThan(256 * 1024);
    expect(kept).toBe(lines.slice(control.read('overrunSeq')).join(''));
  });

  test('segments that every stream has settled go first, before their cursors are written', () => {
    const { log, control, messages } = openLog({
      durability: 'process',
      spool: { maxBytes: 256 * 1024, segmentBytes: 64 * 1024 },
    });
    for (const line of numbered(0, 10_000, 'x'.repeat(100))) {
      log.write(line, 1);
      control.write('settledSeq', log.lastSeq);
    }
    expect(messages.filter(({ type }) => type === 'overrun')).toEqual([]);
    expect(control.read('spilledSeq')).toBe(10_000);
  });

  test('a line that is not on disk although durability asks for it is told, once, and goes there before the next that can', () => {
    const inTheWay = join(folder, 'state');
    writeFileSync(inTheWay, '');
    const { log, undurable, spilled } = openLog({ durability: 'process', stateDirectory: inTheWay });
    for (let n = 0; n < 3; n++) log.write('{"level":30}\n', 1);
    expect(undurable).toEqual([expect.stringMatching(/ENOTDIR|EEXIST/)]);
    rmSync(inTheWay);
    log.write('{"level":30}\n', 1);
    expect(spilled()).toBe('{"level":30}\n'.repeat(4));
    expect(undurable).toHaveLength(1);
    log.close();
  });

  test('where neither memory nor disk takes more, the oldest is given up and the call returns', () => {
    const notADirectory = join(folder, 'file');
    writeFileSync(notADirectory, '');
    const { log, posted } = openLog({ windowBytes: 256 * 1024, stateDirectory: notADirectory });
    for (const line of numbered(0, 10_000, 'x'.repeat(100))) log.write(line, 1);
    log.closeChunk();
    expect(log.lastSeq).toBe(10_000);
    expect(posted.at(-1)).toContain('"n":9999,');
  });

  test('takes its segments off the disk when everything is settled; what comes then is the same log’s', () => {
    const { log, control, spilled } = openLog();
    for (const line of numbered(0, 10_000, 'x'.repeat(300))) log.write(line, 1);
    log.closeChunk();
    control.write('settledSeq', 10_000);
    log.clear();
    expect(spilled()).toBe('');
    log.write('{"late":1}\n', 1);
    log.closeChunk();
    log.spillAll();
    expect(spilled()).toBe('{"late":1}\n');
    expect(control.read('spilledSeq')).toBe(10_001);
  });

  test('a line longer than a line may be is cut, however large the window is', () => {
    const { log, posted } = openLog({ windowBytes: 64 * 1024 * 1024 });
    log.write(`{"level":30,"text":"${'x'.repeat(9 * 1024 * 1024)}"}\n`, 1);
    log.closeChunk();
    expect(log.cutLines).toBe(1);
    expect(JSON.parse(posted.join(''))).toMatchObject({ level: 30, msg: 'a line was too long and is cut' });
  });

  test('what is still being gathered at the close is kept like all that is not settled', () => {
    const { log, spilled } = openLog();
    log.write('{"level":30}\n', 1);
    log.close();
    expect(spilled()).toBe('{"level":30}\n');
  });
});

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createBatch, parseOptions, TreelineError, type Sink, type SinkEvent } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import { beforeEach, afterEach, describe, expect, test } from 'vitest';
import transport, { type FileOptions } from './index.ts';
import { openFileSink } from './open.ts';

let folder: string;
let now: number;
let events: SinkEvent[];

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-file-'));
  now = Date.parse('2026-11-22T10:00:00');
  events = [];
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

async function open(more: Partial<FileOptions> = {}): Promise<Sink> {
  const options = await parseOptions(transport.definition, { path: at('app.log'), ...more });
  return openFileSink(options, { streamName: 'test', report: (event) => events.push(event) }, () => now);
}

const at = (name: string): string => path.join(folder, name);
const batch = (from: number, to: number) =>
  createBatch(lines(Array.from({ length: to - from }, (_, index) => record(from + index))));
const logFiles = (): string[] => fs.readdirSync(folder).filter((name) => !name.startsWith('.'));
const messages = (name: string): unknown[] =>
  fs
    .readFileSync(at(name), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { msg: unknown }).msg);

describe('rotation by size', () => {
  test('no file passes its limit, no record is split, and the order is kept', async () => {
    const sink = await open({ rotation: { size: 1000 } });
    for (let index = 0; index < 100; index += 25) await sink.write(batch(index, index + 25));
    await sink.close();
    const names = logFiles().filter((name) => name !== 'app.log');
    names.sort((a, b) => Number(a.split('.').at(-1)) - Number(b.split('.').at(-1)));
    expect(names[0]).toBe('app.log.2026-11-22.1');
    for (const name of names) expect(fs.statSync(at(name)).size).toBeLessThanOrEqual(1000);
    expect([...names, 'app.log'].flatMap(messages)).toEqual(
      Array.from({ length: 100 }, (_, index) => `record ${index}`),
    );
  });

  test('a record over the limit gets a file of its own', async () => {
    const sink = await open({ rotation: { size: 100 } });
    await sink.write(createBatch(lines([record(0), record(1, { text: 'x'.repeat(500) }), record(2)])));
    await sink.close();
    expect(logFiles()).toEqual(['app.log', 'app.log.2026-11-22.1', 'app.log.2026-11-22.2']);
    expect(messages('app.log.2026-11-22.2')).toEqual(['record 1']);
  });

  test('a file that was full before the start is rotated', async () => {
    fs.writeFileSync(at('app.log'), lines([record(0), record(1)]));
    fs.utimesSync(at('app.log'), now / 1000, now / 1000);
    const sink = await open({ rotation: { size: 100 } });
    await sink.write(batch(2, 3));
    await sink.close();
    expect(messages('app.log.2026-11-22.1')).toEqual(['record 0', 'record 1']);
    expect(messages('app.log')).toEqual(['record 2']);
  });
});

describe('rotation by time', () => {
  test('each file covers one period and is named by its start', async () => {
    const sink = await open({ rotation: { interval: '1d' } });
    await sink.write(batch(0, 1));
    now = Date.parse('2026-11-23T00:00:00') - 1;
    await sink.write(batch(1, 2));
    now += 1;
    await sink.write(batch(2, 3));
    await sink.close();
    expect(messages('app.log.2026-11-22')).toEqual(['record 0', 'record 1']);
    expect(messages('app.log')).toEqual(['record 2']);
  });

  test('a file that an earlier run has left is rotated under the day of its last write', async () => {
    fs.writeFileSync(at('app.log'), lines([record(0)]));
    const written = Date.parse('2026-11-20T23:59:59') / 1000;
    fs.utimesSync(at('app.log'), written, written);
    const sink = await open({ rotation: { interval: '1d', size: '10M' } });
    await sink.write(batch(1, 2));
    await sink.close();
    expect(logFiles()).toEqual(['app.log', 'app.log.2026-11-20.1']);
  });
});

describe('opening', () => {
  test('files and folders get their modes whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      const sink = await open({ path: at('a/b/app.log'), mode: '0644', dirMode: '0755' });
      await sink.close();
    } finally {
      process.umask(umask);
    }
    expect(fs.statSync(at('a')).mode & 0o777).toBe(0o755);
    expect(fs.statSync(at('a/b')).mode & 0o777).toBe(0o755);
    expect(fs.statSync(at('a/b/app.log')).mode & 0o777).toBe(0o644);
  });

  test.each([
    ['a directory', () => fs.mkdirSync(at('app.log')), {}],
    ['a path through a file', () => fs.writeFileSync(at('x'), ''), { path: 'x/app.log' }],
  ])('%s is refused with path and remedy', async (_, prepare, { path: below }: { path?: string }) => {
    prepare();
    const opened = open(below ? { path: at(below) } : {});
    await expect(opened).rejects.toThrow(TreelineError);
    await expect(opened).rejects.toThrow(/^can't write \/.*app\.log: .*; (choose|a part)/);
  });

  test('a line that a crash has cut is set apart from the next one', async () => {
    fs.writeFileSync(at('app.log'), '{"level":30,"msg":"cu');
    const sink = await open();
    await sink.write(batch(0, 1));
    await sink.close();
    expect(fs.readFileSync(at('app.log'), 'utf8').split('\n')[1]).toMatch(/record 0/);
  });
});

describe('faults while running', () => {
  test('a folder that is gone is made again and nothing is missing', async () => {
    const sink = await open({ path: at('logs/app.log') });
    await sink.write(batch(0, 1));
    fs.rmSync(at('logs'), { recursive: true });
    await sink.write(batch(1, 2));
    await sink.close();
    expect(messages('logs/app.log')).toEqual(['record 1']);
    expect(events.map(({ type }) => type)).toEqual(['warning']);
  });

  test('a file that was moved keeps what was written, the next batch begins a new one', async () => {
    const sink = await open();
    await sink.write(batch(0, 1));
    fs.renameSync(at('app.log'), at('moved'));
    await sink.write(batch(1, 2));
    await sink.write(batch(2, 3));
    await sink.close();
    expect([...messages('moved'), ...messages('app.log')]).toEqual(['record 0', 'record 1', 'record 2']);
  });
});

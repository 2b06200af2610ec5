import { createBatch, type Batch, type SinkEvent } from '@treeline/contract';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openPinoSink } from './pino-sink.ts';

const GATHERING = new URL('../../fixtures/gathering-target.mjs', import.meta.url).href;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'treeline-pino-sink-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function open() {
  const file = path.join(folder, 'out.log');
  const events: SinkEvent[] = [];
  let ended = 0;
  const context = { streamName: 'loki', report: (event: SinkEvent) => void events.push(event) };
  const opened = openPinoSink({ target: GATHERING, options: { path: file } }, context, () => ended++);
  return { opened, events, ended: () => ended, read: () => readFileSync(file, 'utf8').trimEnd().split('\n') };
}

function batchOf(...messages: string[]): Batch {
  return createBatch(Buffer.from(messages.map((msg) => `{"level":30,"msg":"${msg}"}\n`).join('')));
}

describe('a pino target as a sink', () => {
  test('is ended for a flush where it has none of its own, and called again for the next write', async () => {
    const { opened, read } = open();
    const sink = await opened;
    await sink.write(batchOf('a', 'b'));
    expect(read()).toEqual(['{"called":true}']);
    await sink.flush();
    await sink.flush();
    expect(read()).toEqual(['{"called":true}', '{"level":30,"msg":"a"}', '{"level":30,"msg":"b"}']);
    await sink.write(batchOf('c'));
    await sink.close();
    expect(read().slice(3)).toEqual(['{"called":true}', '{"level":30,"msg":"c"}']);
  });

  test('rejects the write at which it fails, tells why, and ends its thread after that', async () => {
    const { opened, events, ended } = open();
    const sink = await opened;
    await expect(sink.write(batchOf('fails'))).rejects.toThrow('this target fails');
    expect(events).toEqual([{ type: 'down', reason: 'this target fails' }]);
    await nextTurn();
    expect(ended()).toBe(1);
  });

  test('closes once, and takes nothing then', async () => {
    const { opened, ended } = open();
    const sink = await opened;
    await Promise.all([sink.close(), sink.close()]);
    await expect(sink.write(batchOf('late'))).rejects.toMatchObject({ code: 'CLOSED' });
    expect(ended()).toBe(0);
  });

  test('refuses a module whose default export is no function', async () => {
    const context = { streamName: 'x', report: () => undefined };
    const target = new URL('./thread-protocol.ts', import.meta.url).href;
    const opened = openPinoSink({ target, options: {} }, context, () => undefined);
    await expect(opened).rejects.toThrow(`the default export of ${target} must be a function`);
  });
});

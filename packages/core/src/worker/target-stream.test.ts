import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { TargetStream } from './target-stream.ts';

afterEach(() => vi.useRealTimers());

const noFailure = (error: Error): void => {
  throw error;
};

/** Whether a promise has settled by the next turn of the loop. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(() => false);
  return Promise.race([settled, nextTurn(true)]);
}

describe('TargetStream', () => {
  test('a write waits until the target has taken it', async () => {
    let take: (() => void) | undefined;
    const target = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, callback) => void (take = callback),
    });
    const written = new TargetStream(target, noFailure).write('{}\n');
    expect(await isPending(written)).toBe(true);
    take?.();
    await written;
  });

  test.each([
    ['writes at once', { minLength: 0 }],
    ['gathers first', { minLength: 4096 }],
    ['writes synchronously', { minLength: 0, sync: true }],
  ])('with a SonicBoom that %s, everything is in the file after write and flush', async (_, options) => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'treeline-target-'));
    const dest = path.join(folder, 'out.log');
    const stream = new TargetStream(pino.destination({ dest, sync: false, ...options }), noFailure);
    const text = '{"n":1}\n'.repeat(20_000);
    await stream.write(text);
    await stream.write('{"n":2}\n');
    await stream.flush();
    expect(readFileSync(dest, 'utf8')).toBe(`${text}{"n":2}\n`);
    await stream.end();
    rmSync(folder, { recursive: true });
  });

  test.each([
    ['a callback', (done: (error?: Error) => void) => void setImmediate(done)],
    ['a promise', () => nextTurn()],
    [
      'a callback, though it returns a promise that never ends',
      (done: () => void) => (done(), new Promise(() => undefined)),
    ],
  ])('flushes by %s', async (_, flush) => {
    const stream = new TargetStream(Object.assign(new Writable(), { flush }), noFailure);
    expect(stream.canFlush).toBe(true);
    await stream.flush();
  });

  test('a flush that fails rejects with the target’s error', async () => {
    const flush = (done: (error: Error) => void): void => done(new Error('not flushed'));
    const stream = new TargetStream(Object.assign(new Writable(), { flush }), noFailure);
    await expect(stream.flush()).rejects.toThrow('not flushed');
  });

  test('an error rejects what waits and what comes, is told once, and a second one is not uncaught', async () => {
    const failures: string[] = [];
    const target = new Writable({ write: () => undefined });
    const stream = new TargetStream(target, ({ message }) => void failures.push(message));
    const written = stream.write('{}\n');
    target.emit('error', new Error('first'));
    target.emit('error', new Error('second'));
    await expect(written).rejects.toThrow('first');
    await expect(stream.flush()).rejects.toThrow('first');
    expect(failures).toEqual(['first']);
  });

  test('a target that closes by itself has failed', async () => {
    const failures: string[] = [];
    const target = new Writable();
    const stream = new TargetStream(target, ({ message }) => void failures.push(message));
    target.destroy();
    await nextTurn();
    expect(failures).toEqual(['the target closed its stream']);
    await expect(stream.write('{}\n')).rejects.toThrow('the target closed its stream');
  });

  test('the end waits for close, and for 8 s at most', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const target = new Writable({ final: () => undefined });
    const ended = new TargetStream(target, noFailure).end();
    const outcome = ended.catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(7_999);
    expect(target.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await outcome).toMatchObject({ code: 'TIMEOUT' });
    expect(target.destroyed).toBe(true);
  });

  test.each([[undefined], [null], [{}], ['text']])('refuses %j, which is no stream', (value) => {
    expect(() => new TargetStream(value, noFailure)).toThrow(/^the target must return a Writable; got /);
  });
});

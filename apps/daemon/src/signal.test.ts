import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TreelineLogger } from '@treeline/core';
import { openLogReader, openLogStore, type LogReader, type LogStore } from '@treeline/sqlite';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import { ReflexScheduler } from './reflex-scheduler.ts';
import { Signal } from './signal.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-daemon-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Whether a method of the type takes a function: a callback would be a subscription. */
type TakesCallback<T> = true extends {
  [Key in keyof T]: T[Key] extends (...args: infer Args) => unknown
    ? Extract<Args[number], (...args: never) => unknown> extends never
      ? false
      : true
    : false;
}[keyof T]
  ? true
  : false;

let reader: LogReader;
beforeAll(() => {
  const store = openLogStore(path.join(folder, 'logs.db'));
  store.append({ source: 'reflex', type: 'run_start' });
  store.close();
  reader = openLogReader(path.join(folder, 'logs.db'));
  return () => reader.close();
});

const silent = {
  child: () => silent,
  info: () => undefined,
  error: () => undefined,
} as unknown as TreelineLogger;

describe('a log', () => {
  test('is no signal, nor can it be subscribed to, for the compiler', () => {
    expectTypeOf<LogReader>().not.toExtend<Signal>();
    expectTypeOf<LogStore>().not.toExtend<Signal>();
    expectTypeOf<{ name: string; subscribe: Signal['subscribe'] }>().not.toExtend<Signal>();
    expectTypeOf<TakesCallback<LogReader>>().toEqualTypeOf<false>();
    // What the check above is worth: a signal takes one.
    expectTypeOf<TakesCallback<Signal>>().toEqualTypeOf<true>();
    const scheduler = new ReflexScheduler(silent, (query) => reader.queryLogs(query));
    // @ts-expect-error a reader is no trigger
    const bind = (): void => scheduler.bind('r', () => undefined, [reader]);
    expect(bind).toThrow(TypeError);
  });

  test('has nothing but questions at run time', () => {
    expect(Object.keys(reader).toSorted()).toEqual([
      'close',
      'count',
      'iterate',
      'iteratePages',
      'meta',
      'path',
      'queryLogs',
      'stats',
      'table',
    ]);
    expect(Object.keys(reader.meta)).toEqual(['get']);
    for (const name of ['on', 'once', 'addListener', 'subscribe', 'addEventListener', 'watch', 'follow']) {
      expect(name in reader).toBe(false);
    }
  });

  test.each<[string, () => unknown]>([
    ['a reader', () => reader],
    ['rows', () => reader.queryLogs()],
    ['what looks like a signal', () => ({ name: 'log', subscribe: () => () => undefined })],
    ['what has the prototype of one', () => Object.create(Signal.prototype) as unknown],
    ['a name', () => 'inbox'],
  ])('%s is refused as a trigger', (_name, make) => {
    const scheduler = new ReflexScheduler(silent, (query) => reader.queryLogs(query));
    expect(() => scheduler.bind('r', () => undefined, [make() as Signal])).toThrow(
      /must be signals of senses/,
    );
  });
});

test('a reflex runs on the signal that it is bound to, one run at a time, and the newest of what came meanwhile', async () => {
  const { signal, emit } = Signal.open('inbox');
  const scheduler = new ReflexScheduler(silent, (query) => reader.queryLogs(query));
  const values: unknown[] = [];
  const gates: (() => void)[] = [];
  scheduler.bind(
    'r',
    async ({ value }) => {
      values.push(value);
      await new Promise<void>((resolve) => gates.push(resolve));
    },
    [signal],
  );
  for (const value of [1, 2, 3]) emit({ value, previous: undefined });
  expect(values).toEqual([1]);
  gates[0]?.();
  await expect.poll(() => values).toEqual([1, 3]);
  gates[1]?.();
  await scheduler.stop();
  emit({ value: 4, previous: 3 });
  expect(values).toEqual([1, 3]);
});

import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { options } from './options.ts';

const page = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const README = page('../README.md');
const GUIDE = page('../../../docs/guide/network.md');

/** Keys of a stream that core reads. */
const CORE_KEYS = new Set(['name', 'type', 'level']);

type Block = Readonly<Record<string, unknown>>;

/** The streams in the JSON examples of a page; a fragment stands for a stream that has nothing else. */
function streamsIn(text: string): Block[] {
  return [...text.matchAll(/```json\n([^]*?)```/g)].flatMap(([, block = '']) => {
    const json = block.startsWith('"') ? `{ "url": "http://x", ${block} }` : block;
    const parsed = JSON.parse(json) as Block;
    return (parsed['streams'] as Block[] | undefined) ?? [parsed];
  });
}

test.each([
  ['the README', README, 1],
  ['the guide', GUIDE, 3],
])('the examples of %s are options that hold', (_, text, atLeast) => {
  const streams = streamsIn(text);
  expect(streams.length).toBeGreaterThanOrEqual(atLeast);
  for (const stream of streams) {
    const own = Object.entries(stream).filter(([key]) => !CORE_KEYS.has(key));
    expect(v.safeParse(options, Object.fromEntries(own)).issues).toBeUndefined();
  }
});

test('the README names every option', () => {
  const named = (key: string): boolean => README.includes(`\`${key}\``) || README.includes(`\`${key}.`);
  const keys = Object.keys(options.entries);
  expect(keys.length).toBeGreaterThan(10);
  expect(keys.filter((key) => !named(key))).toEqual([]);
});

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);
const GUIDE = readFileSync(fileURLToPath(new URL('docs/guide/writing-a-transport.md', ROOT)), 'utf8');
const EXAMPLES = [...GUIDE.matchAll(/<!-- example: (\S+) -->\n```js\n(.*?)```/gs)].map(([, path, code]) => ({
  path,
  code,
}));

test('the guide shows a transport and its test', () => {
  expect(EXAMPLES.map(({ path }) => path)).toEqual([
    'packages/contract/examples/append-transport.mjs',
    'packages/contract/examples/append-transport.test.mjs',
  ]);
});

test.each(EXAMPLES)('the guide shows $path as it is run', ({ path, code }) => {
  expect(code).toBe(readFileSync(fileURLToPath(new URL(path ?? '', ROOT)), 'utf8'));
});

import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const PAGE = new URL('../../../docs/guide/promises.md', import.meta.url);
const page = readFileSync(PAGE, 'utf8');

const PROOFS = [...page.matchAll(/\[([^\]]+)\]\(([^)]+\.ts)\)/g)].map(([, title = '', file = '']) => ({
  title,
  file,
}));

test.each(PROOFS)('the page of promises names a test that exists: $title', ({ title, file }) => {
  const path = new URL(file, PAGE);
  expect(existsSync(path), file).toBe(true);
  expect(readFileSync(path, 'utf8')).toContain(title);
});

test('each promise stands with a proof', () => {
  const [, table = ''] = /## The promises\n\n(.+?)\n\n/s.exec(page) ?? [];
  const [, , ...promises] = table.split('\n');
  expect(promises.length).toBeGreaterThan(10);
  for (const promise of promises) expect(promise).toMatch(/\.ts\) \|$/);
});

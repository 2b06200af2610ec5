import fs from 'node:fs';
import { expect, test } from 'vitest';
import { parseQuery } from './parse.ts';
import { formatQuery } from './print.ts';

const guide = fs.readFileSync(new URL('../../../docs/guide/query-language.md', import.meta.url), 'utf8');
const readme = fs.readFileSync(new URL('../README.md', import.meta.url), 'utf8');

const tables = [guide, readme].flatMap((page) => page.match(/^\| query \|.*\n\|---.*\n(?:\|.*\n)+/gm) ?? []);

const examples = tables
  .flatMap((table) => [...table.matchAll(/^\| `([^`]+)` \|/gm)])
  .map(([, text]) => (text ?? '').replaceAll('\\|', '|'));

test.each(examples)(
  'the example %s of the documents parses, and comes back from its printed form',
  (text) => {
    const query = parseQuery(text);
    expect(parseQuery(formatQuery(query))).toEqual(query);
  },
);

test('the documents have examples', () => {
  expect(examples.length).toBeGreaterThan(30);
});

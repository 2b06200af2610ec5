import fs from 'node:fs';
import path from 'node:path';
import { createBatch } from '@treeline/contract';
import { expect, test } from 'vitest';
import { prettyCliOptions } from './cli-options.ts';
import type { PrettyOptions } from './options.ts';
import { createPrinter } from './printer.ts';

/**
 * Each example is an input and what is printed for it, `<input>.<case>.txt`; `npx vitest run packages/pretty -u` writes the outputs
 * anew. The cases of an input stand in `examples/cases.json`, as options.
 */
const folder = path.join(import.meta.dirname, '..', 'examples');
const cases = JSON.parse(fs.readFileSync(path.join(folder, 'cases.json'), 'utf8')) as Record<
  string,
  Record<string, PrettyOptions>
>;
const all = Object.entries(cases).flatMap(([input, options]) =>
  Object.entries(options).map(([name, given]) => ({ input, name, given })),
);

test.each(all)('prints $input as $name', async ({ input, name, given }) => {
  const bytes = fs.readFileSync(path.join(folder, `${input}.ndjson`));
  const printer = createPrinter({ utc: true, ...given }, { cwd: '/app', nowMs: Date.UTC(2026, 2, 1, 13) });
  const text = printer.write(createBatch(bytes)) + printer.end();
  await expect(text).toMatchFileSnapshot(path.join(folder, `${input}.${name}.txt`));
});

const pages = ['../../../docs/guide/pretty.md', '../README.md'].map((page) =>
  path.join(import.meta.dirname, page),
);

test.each(pages)('%s shows examples as they are printed', (page) => {
  const shown = [...fs.readFileSync(page, 'utf8').matchAll(/<!-- example: (\S+) -->\n```\n(.*?)```\n/gs)];
  expect(shown.length).toBeGreaterThan(0);
  for (const [, name = '', block] of shown) {
    expect(block).toBe(fs.readFileSync(path.join(folder, `${name}.txt`), 'utf8'));
  }
});

test('the guide names every option', () => {
  const guide = fs.readFileSync(pages[0] ?? '', 'utf8');
  for (const { flag, description } of prettyCliOptions) {
    expect(guide).toContain(flag);
    expect(guide).toContain(description);
  }
});

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkConfig } from './check.ts';
import { loadConfig } from './load.ts';
import { ConfigError } from './problem.ts';

const EXAMPLES = fileURLToPath(new URL('../../../../docs/guide/examples/config/', import.meta.url));
const TEXTS = fs.readdirSync(EXAMPLES).map((file) => fs.readFileSync(EXAMPLES + file, 'utf8'));

let cwd = '';

beforeAll(() => {
  cwd = fs.mkdtempSync(path.join(os.tmpdir(), 'mutations-'));
});

afterAll(() => {
  fs.rmSync(cwd, { recursive: true });
});

const inserted = fc.oneof(
  fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    '\\',
    '//',
    '/*',
    '\n',
    '${',
    '${NOPE}',
    'null',
    '1e999',
    '-',
    "'",
  ),
  fc.string({ maxLength: 4, unit: 'binary' }),
);

const edit = fc.record({
  at: fc.nat(),
  remove: fc.nat({ max: 6 }),
  inserted: fc.option(inserted, { nil: '' }),
});

/** A valid config with some slips of the pen. */
const mutated = fc
  .tuple(fc.constantFrom(...TEXTS), fc.array(edit, { minLength: 1, maxLength: 4 }))
  .map(([text, edits]) =>
    edits.reduce((before, { at, remove, inserted: added }) => {
      const start = at % before.length;
      return before.slice(0, start) + added + before.slice(start + remove);
    }, text),
  );

test('a config with slips of the pen is taken, or refused with places inside the file, and nothing else', () => {
  fc.assert(
    fc.property(mutated, (text) => {
      fs.writeFileSync(path.join(cwd, 'c.json'), text);
      const context = { cwd, env: { NODE_ENV: 'production', LOG_LEVEL: 'info,db=debug' } };
      const lines = text.split('\n');
      for (const { line, column, file } of problemsOf(context)) {
        const length = lines[(line ?? 1) - 1]?.length;
        expect(file === 'c.json' ? length : 0).toBeDefined();
        expect(column ?? 1).toBeLessThanOrEqual((length ?? 0) + 1);
      }
      expect(() => checkConfig('c.json', context)).not.toThrow();
    }),
    { numRuns: 300 },
  );
});

function problemsOf(context: Parameters<typeof loadConfig>[1]): ConfigError['problems'] {
  try {
    return loadConfig('c.json', context).warnings;
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

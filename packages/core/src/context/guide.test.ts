import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';

const GUIDE = fileURLToPath(new URL('../../../../docs/guide/context.md', import.meta.url));
const CORE = fileURLToPath(new URL('../../', import.meta.url));

/** A folder from which programs find the package by its name. */
const FOLDER = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-guide-'));
fs.mkdirSync(path.join(FOLDER, 'node_modules/@treeline'), { recursive: true });
fs.symlinkSync(CORE, path.join(FOLDER, 'node_modules/@treeline/core'));
afterAll(() => fs.rmSync(FOLDER, { recursive: true }));

const PROGRAMS = fs
  .readFileSync(GUIDE, 'utf8')
  .split(/^## /m)
  .flatMap((section) =>
    [...section.matchAll(/^```js run\n(.*?)^```/gms)].map(([, code = '']) => ({
      heading: section.slice(0, section.indexOf('\n')),
      code,
    })),
  );

test('the guide shows programs', () => {
  expect(PROGRAMS.length).toBeGreaterThanOrEqual(7);
});

test.each(PROGRAMS)('the program under "$heading" runs, and says what it is said to', async ({ code }) => {
  fs.writeFileSync(path.join(FOLDER, 'program.mjs'), code);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['program.mjs'], { cwd: FOLDER });
  expect(stderr).toBe('');
  expect(stdout).not.toContain('Assertion failed');
});

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { openLogReader } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-package-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const run = promisify(execFile);
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

describe('the package', () => {
  test('is a pino target by its name', async () => {
    const path = join(folder, 'pino.db');
    await run(process.execPath, [fixture('pino-target.js'), path]);
    const reader = openLogReader(path);
    expect(Array.from(reader.iterate({ order: 'asc' }), (row) => row.record.index)).toEqual(
      Array.from({ length: 1000 }, (_, index) => index),
    );
    reader.close();
  });

  test.each(['@treeline/sqlite', '@treeline/sqlite/options', '@treeline/sqlite/follow'])(
    '%s loads nothing native when it is imported, and no expression engine',
    async (name) => {
      const { stdout } = await run(process.execPath, [fixture('loaded-modules.js'), name]);
      expect(stdout.trim()).toBe('');
    },
  );

  // 117 ms at import: only who joins with Drizzle pays them.
  test('nothing but the schema imports drizzle-orm', () => {
    const sources = fs.readdirSync(new URL('.', import.meta.url)).filter((name) => !name.includes('.test.'));
    const importing = sources.filter((name) =>
      fs.readFileSync(new URL(name, import.meta.url), 'utf8').includes("from 'drizzle-orm"),
    );
    expect(importing).toEqual(['schema.ts']);
  });
});

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { programFile, scratchFolder } from './program.ts';

test('a console stream prints a tree as wide as the terminal, and follows when it becomes wider', async () => {
  using folder = scratchFolder();
  const command = `'${process.execPath}' '${programFile('logs-to-terminal.mjs')}'`;
  const env = { PATH: process.env['PATH'], TERM: 'xterm-256color', NO_COLOR: '1' };
  const { stdout } = await promisify(execFile)('script', ['-qec', command, join(folder.path, 'typescript')], {
    cwd: folder.path,
    env,
  });
  const lines = stdout.split('\r\n').filter((line) => line.includes('word'));
  const widths = lines.map((line) => line.length);
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO +word word/);
  expect(widths[0]).toBeGreaterThan(30);
  expect(widths[0]).toBeLessThanOrEqual(50);
  const widest = Math.max(...widths);
  expect(widest).toBeGreaterThan(70);
  expect(widest).toBeLessThanOrEqual(90);
  expect(lines[1]).toMatch(/^ +│ {2}word/);
});

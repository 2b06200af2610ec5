import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { TREELINE } from './command.ts';
import { programFile, scratchFolder } from './program.ts';

/** Tables of widths are loaded at the first such character: after a stat of a pipe Node 20 and 22 look past symbolic links. */
test('wide characters of a piped log are measured, wherever packages are linked', async () => {
  using folder = scratchFolder();
  const record = { level: 30, time: 0, msg: '日本語 日本語 日本語' };
  writeFileSync(join(folder.path, 'wide.ndjson'), `${JSON.stringify(record)}\n`);
  const command = `cat wide.ndjson | '${process.execPath}' '${TREELINE}' pretty --mode live --time none --width 30 | cat`;
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command], { cwd: folder.path });
  expect({ stdout, stderr }).toEqual({
    stdout: 'INFO       日本語 日本語\n           │  日本語\n',
    stderr: '',
  });
});

test("core's spans are printed as the tree that they are", async () => {
  using folder = scratchFolder();
  const shape = '--mode live --time none --durations off --ids none --stack none';
  const command = `'${process.execPath}' '${programFile('logs-spans.mjs')}' | '${process.execPath}' '${TREELINE}' pretty ${shape}`;
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command], { cwd: folder.path });
  expect(stderr).toBe('');
  await expect(stdout).toMatchFileSnapshot(join(import.meta.dirname, '..', 'fixtures', 'spans.txt'));
});

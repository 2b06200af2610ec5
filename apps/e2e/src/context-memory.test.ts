import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runProgram, scratchFolder } from './program.ts';

/** Enough that one byte for each would show. */
const REQUESTS = 20_000;

test('spans that have ended can be collected, though their async contexts are kept; requests leave nothing on the heap', async () => {
  using folder = scratchFolder();
  const { stdout, code, stderr } = await runProgram(
    'keeps-contexts.mjs',
    [join(folder.path, 'out.log'), String(REQUESTS)],
    { cwd: folder.path, env: { NODE_OPTIONS: '--expose-gc' } },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const result = JSON.parse(stdout) as { alive: number; spans: number; kept: number; grownBytes: number };
  expect(result).toMatchObject({ alive: 0, spans: 1000, kept: 1500 });
  expect(result.grownBytes).toBeLessThan(20 * REQUESTS);
});

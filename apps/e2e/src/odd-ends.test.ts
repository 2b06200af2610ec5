import { join } from 'node:path';
import { expect, test } from 'vitest';
import { count, numbersIn, readRecords, runProgram, scratchFolder, type Ended } from './program.ts';

async function end(way: string, cwd: string): Promise<Ended> {
  const ended = await runProgram('ends-oddly.mjs', [way], { cwd });
  expect(ended.code, ended.stderr).toBe(0);
  return ended;
}

test('a logger that is stuck does not use up the time that another has at the end', async () => {
  using folder = scratchFolder();
  const { stderr } = await end('beside a stuck logger', folder.path);
  expect(numbersIn(readRecords(join(folder.path, 'out.log')))).toEqual(count(0, 20_000));
  expect(stderr).toContain('stuck: warning: not delivered within 1000 ms');
  expect(stderr).not.toContain('file: warning');
});

test('what is logged while a logger closes is dropped and counted, all of it', async () => {
  using folder = scratchFolder();
  const { stdout } = await end('logging while it closes', folder.path);
  expect(JSON.parse(stdout)).toEqual({ accepted: 100, dropped: 0, underWay: 0 });
  expect(numbersIn(readRecords(join(folder.path, 'out.log')))).toEqual(count(0, 100));
});

test('time limits that no timer takes are taken as near as can be', async () => {
  using folder = scratchFolder();
  const { stdout } = await end('with odd time limits', folder.path);
  expect(JSON.parse(stdout)).toEqual({ flushed: [true, true], ok: true });
});

test('a status listener that throws ends nothing', async () => {
  using folder = scratchFolder();
  const { stdout, stderr } = await end('with a listener that throws', folder.path);
  expect(JSON.parse(stdout)).toEqual({ ok: true });
  expect(stderr).toContain('an onStatus listener has thrown: a listener’s own fault');
});

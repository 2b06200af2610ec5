import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const FETCHES_BESIDE = fileURLToPath(new URL('../fixtures/fetches-beside.js', import.meta.url));
const LOADED_MODULES = fileURLToPath(new URL('../fixtures/loaded-modules.js', import.meta.url));

test.each([
  ['@treeline/network', ''],
  ['@treeline/network/options', ''],
  ['undici', 'undici'],
])('importing %s loads %j of what is heavy', async (name, loaded) => {
  const { stdout } = await run(process.execPath, [LOADED_MODULES, name]);
  expect(stdout.trim()).toBe(loaded);
});

test("opening it leaves the program's own fetch as it was", async () => {
  const { stdout } = await run(process.execPath, [FETCHES_BESIDE]);
  expect(JSON.parse(stdout)).toEqual({ isOurs: false, fetched: 'hello', logged: 1 });
});

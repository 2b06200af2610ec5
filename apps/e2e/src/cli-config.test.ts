import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { treeline, writeConfig, type Finished } from './command.ts';
import { scratchFolder } from './program.ts';

let cwd = '';

beforeEach(() => {
  const folder = scratchFolder();
  cwd = folder.path;
  return () => folder[Symbol.dispose]();
});

const config = (...args: string[]): Promise<Finished> => treeline(['config', ...args], { cwd });

const FILE = { name: 'file', type: 'file', path: 'app.log', level: 'warn' };

describe('treeline config', () => {
  test('print tells where each value comes from', async () => {
    const name = writeConfig(cwd, { streams: [FILE] });
    const { code, stdout } = await treeline(['config', 'print', '--origin', name], {
      cwd,
      env: { LOG_LEVEL: 'debug' },
    });
    expect(code).toBe(0);
    expect(stdout).toContain('"level": "debug",  // LOG_LEVEL');
    expect(stdout).toContain('"level": "warn",  // config.json:1');
    expect(stdout).toContain('"timestamp": true,  // default');
    expect((await config('print', name)).stdout).not.toContain('//');
  });

  test('explain says what a value is, and refuses a path that leads nowhere', async () => {
    const name = writeConfig(cwd, { streams: [FILE] });
    const { code, stdout } = await config('explain', 'streams.file.level', name);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^streams\[0\]\.level = "warn"\n {2}from {2}config\.json:1$/m);
    expect(await config('explain', 'streams.file.levle', name)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean level?') as string,
    });
  });

  test('diff tells what a reload would do to each stream', async () => {
    const before = writeConfig(cwd, { streams: [FILE, { name: 'console', type: 'console' }] }, 'before.json');
    const after = writeConfig(cwd, { streams: [{ ...FILE, level: 'info' }] }, 'after.json');
    const { code, stdout } = await config('diff', before, after);
    expect(code).toBe(0);
    expect(stdout).toBe('file     live      level\nconsole  remove\n');
  });

  test('schema prints JSON', async () => {
    const { code, stdout } = await config('schema');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'object' });
  });

  test('test runs the tests of a config, and exits 1 where one fails', async () => {
    const tests = (count: number): object[] => [
      {
        name: 'warnings go to the file',
        given: [{ level: 'warn' }, { level: 'info' }],
        expect: { file: { count } },
      },
    ];
    const good = writeConfig(cwd, { streams: [FILE], tests: tests(1) }, 'good.json');
    const bad = writeConfig(cwd, { streams: [FILE], tests: tests(2) }, 'bad.json');
    expect(await config('test', good)).toMatchObject({
      code: 0,
      stdout: 'passed  warnings go to the file\n',
    });
    expect(await config('test', bad)).toMatchObject({
      code: 1,
      stdout: 'FAILED  warnings go to the file\n        file receives 1 of 2 records, not 2\n',
    });
  });

  test.each([
    [['print', 'broken.json']],
    [['explain', 'level', 'broken.json']],
    [['diff', 'broken.json', 'broken.json']],
    [['test', 'broken.json']],
  ])('%j reports the mistakes of a config on stderr with exit 78', async (args) => {
    fs.writeFileSync(path.join(cwd, 'broken.json'), '{ "level": "inof" }');
    const { code, stdout, stderr } = await config(...args);
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(/^broken\.json:1:12 error CFG103 /);
  });
});

describe('treeline init', () => {
  test('writes a config that passes the check and is found, and never overwrites one', async () => {
    expect(await treeline(['init'], { cwd })).toMatchObject({ code: 0 });
    expect(await treeline(['check'], { cwd })).toMatchObject({ code: 0 });
    const before = fs.readFileSync(path.join(cwd, 'logging.config.jsonc'), 'utf8');
    expect(await treeline(['init'], { cwd })).toMatchObject({
      code: 1,
      stderr: 'treeline: logging.config.jsonc is there already; name another file\n',
    });
    expect(fs.readFileSync(path.join(cwd, 'logging.config.jsonc'), 'utf8')).toBe(before);
    expect((await treeline(['init', 'missing/config.json'], { cwd })).stderr).toContain(
      "can't be written (ENOENT)",
    );
  });
});

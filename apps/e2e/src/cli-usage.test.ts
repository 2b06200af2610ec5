import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { collect, startTreeline, treeline, TREELINE, writeConfig } from './command.ts';
import { scratchFolder } from './program.ts';

let cwd = '';

beforeEach(() => {
  const folder = scratchFolder();
  cwd = folder.path;
  return () => folder[Symbol.dispose]();
});

describe('treeline', () => {
  test.each([
    [['--help'], 'Usage: treeline [options] [command]'],
    [['help'], 'Usage: treeline [options] [command]'],
    [['run', '--help'], 'Usage: treeline run [options]'],
    [['help', 'run'], 'Usage: treeline run [options]'],
    [['query', '-h'], 'Usage: treeline query [options]'],
    [['check', '--help'], 'Usage: treeline check [options] [config]'],
    [['pretty', '--help'], 'Usage: treeline pretty [options] [file…]'],
    [['help', 'pretty'], 'Usage: treeline pretty [options] [file…]'],
  ])('%j prints help on stdout and exits 0', async (args, usage) => {
    const { code, stdout, stderr } = await treeline(args, { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(usage);
  });

  test('--version prints the version of its package', async () => {
    const manifest = path.join(path.dirname(TREELINE), '../package.json');
    const { version } = JSON.parse(fs.readFileSync(manifest, 'utf8')) as { version: string };
    expect(await treeline(['--version'], { cwd })).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  test.each([
    [[], 'Usage: treeline [options] [command]'],
    [['qeury'], "treeline: unknown command 'qeury'\n(Did you mean query?)\n"],
    [['query', '--sorce', 'x'], "treeline: unknown option '--sorce'\n(Did you mean --source?)\n"],
    [['run', 'config.json'], "treeline: too many arguments for 'run'. Expected 0 arguments but got 1.\n"],
    [['run', '-c'], "treeline: option '-c, --config <file>' argument missing\n"],
    [
      ['query', '--level', 'wran'],
      '--level must be one of trace, debug, info, warn, error, fatal, or a number; got "wran"',
    ],
    [['query', '-n', '-1'], '--limit must be a whole number or "all"; got "-1"'],
    [['query', '-n', '1e3'], '--limit must be a whole number or "all"; got "1e3"'],
    [['query', '-o', 'xml'], "argument 'xml' is invalid. Allowed choices are pretty, jsonl, rows."],
    [['query', '--since', 'soon'], 'treeline: --since must be like 2h'],
    [['query', '--until', '2026-02-30'], 'treeline: --until must be like 2h'],
    [['query', '-f', '-r'], '--follow prints what comes, oldest first'],
    [['query', '-q', 'x', 'y', 'z'], 'with --query the store is the only argument'],
    [['query', 'a', 'b', 'c'], "too many arguments for 'query'. Expected 2 arguments but got 3."],
    [
      ['query', 'level>=eror', 'a.db'],
      "level>=eror\n         ^^^^\nTo search messages for the text itself: --grep 'level>=eror'\n",
    ],
    [['query', 'ref in @missing.txt', 'a.db'], "the list missing.txt can't be read (ENOENT)"],
    [['query', 'error | count by source', '-n', '5', 'a.db'], '--limit is about single records'],
    [['stats', 'error | count', 'a.db'], 'stats takes a condition'],
    [
      ['query', '--timeout', 'soon', 'a.db'],
      '--timeout must be a duration like 500ms, 10s or 2m; got "soon"',
    ],
    [['check', '-o', 'yaml'], "argument 'yaml' is invalid. Allowed choices are text, json, github."],
    [['query', '--\u001b[31mred'], String.raw`treeline: unknown option '--\u001b[31mred'`],
  ])('%j is refused on stderr with exit 2', async (args, message) => {
    const { code, stdout, stderr } = await treeline(args, { cwd });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test.each([[['--help']], [['check', '-o', 'json', 'missing.json']]])(
    '%j ends quietly when nobody reads',
    async (args) => {
      const child = startTreeline(args, { cwd });
      child.stdout.destroy();
      const stderr = collect(child.stderr);
      await once(child, 'close');
      expect(stderr.text).toBe('');
      expect(child.signalCode).toBeNull();
    },
  );

  test('says what to do where it has not been built', async () => {
    const bin = path.join(cwd, 'bin', 'treeline.js');
    fs.mkdirSync(path.dirname(bin));
    fs.copyFileSync(TREELINE, bin);
    fs.writeFileSync(path.join(cwd, 'package.json'), '{ "type": "module" }');
    const { spawnSync } = await import('node:child_process');
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, '--help'], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^treeline: the command has not been built: run .*\n$/);
  });
});

describe('treeline pretty', () => {
  const input = '{"level":40,"time":1760000000000,"name":"api","msg":"slow query"}\nplain text\n';

  test('prints standard input for people', async () => {
    const { code, stdout, stderr } = await treeline(['pretty'], { cwd, input });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [record, text] = stdout.split('\n');
    expect(record).toMatch(/^2025-10-09T08:53:20\.000Z .*WARN .*api.* slow query$/);
    expect(text).toContain('plain text');
  });

  test('prints files, and refuses with exit 66 one that is missing, with 2 an option that it does not know', async () => {
    fs.writeFileSync(path.join(cwd, 'app.log'), input);
    expect((await treeline(['pretty', 'app.log', '--color', 'always'], { cwd })).stdout).toContain('\u001b[');
    expect(await treeline(['pretty', 'missing.log'], { cwd })).toMatchObject({ code: 66, stdout: '' });
    expect(await treeline(['pretty', '--colour', 'always'], { cwd })).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('treeline check', () => {
  test('prints nothing but the good news about a sound config', async () => {
    const config = writeConfig(cwd, { streams: [{ name: 'console', type: 'console' }] });
    expect(await treeline(['check', config], { cwd })).toEqual({
      code: 0,
      signal: null,
      stdout: 'config.json: no mistakes\n',
      stderr: '',
    });
  });

  test('prints all mistakes at their places, and starts nothing', async () => {
    fs.writeFileSync(
      path.join(cwd, 'config.json'),
      '{\n  "level": "inof",\n  "streams": [{ "name": "f", "type": "file", "paht": "x.log" }]\n}\n',
    );
    const { code, stdout, stderr } = await treeline(['check', 'config.json'], { cwd });
    expect({ code, stderr }).toEqual({ code: 78, stderr: '' });
    expect(stdout).toMatch(/^config\.json:2:12 error CFG\d+ .*"inof"/m);
    expect(stdout).toMatch(/^config\.json:3:\d+ error CFG\d+ .*"paht"/m);
    expect(fs.readdirSync(cwd)).toEqual(['config.json']);
  });

  test('prints JSON for programs', async () => {
    const config = writeConfig(cwd, { level: 'inof', streams: [] });
    const { code, stdout } = await treeline(['check', '-o', 'json', config], { cwd });
    expect(code).toBe(78);
    const problems = JSON.parse(stdout) as object[];
    expect(problems).toContainEqual(
      expect.objectContaining({ file: 'config.json', line: 1, column: 10, severity: 'error', path: 'level' }),
    );
  });

  test('prints an empty list, and nothing for GitHub, where there is nothing to say', async () => {
    const config = writeConfig(cwd, { streams: [{ name: 'console', type: 'console' }] });
    expect((await treeline(['check', '-o', 'json', config], { cwd })).stdout).toBe('[]\n');
    expect((await treeline(['check', '-o', 'github', config], { cwd })).stdout).toBe('');
  });

  test('prints annotations for GitHub', async () => {
    const config = writeConfig(cwd, { level: 'inof', streams: [] });
    const { stdout } = await treeline(['check', '-o', 'github', config], { cwd });
    expect(stdout).toMatch(/^::error file=config\.json,line=1,col=10,title=CFG\d+ .*$/m);
  });

  test('finds the config of its folder, or says with exit 66 that there is none', async () => {
    const none = await treeline(['check'], { cwd });
    expect(none.code).toBe(66);
    expect(none.stderr).toContain('no config was found');
    writeConfig(cwd, { streams: [{ name: 'console', type: 'console' }] }, 'logging.config.json');
    expect(await treeline(['check'], { cwd })).toMatchObject({ code: 0 });
  });
});

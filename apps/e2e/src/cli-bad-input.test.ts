import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { treeline } from './command.ts';
import { scratchFolder } from './program.ts';

let cwd = '';

beforeEach(() => {
  const folder = scratchFolder();
  cwd = folder.path;
  fs.chmodSync(cwd, 0o777);
  return () => folder[Symbol.dispose]();
});

interface BadInput {
  readonly name: string;
  /** The config's text; undefined leaves the file out. */
  readonly config?: string | Buffer;
  readonly prepare?: () => void;
  readonly code: 66 | 78;
  /** What the one report has to name: the key or the path, the value, and what to do. */
  readonly names: readonly string[];
}

const stream = (options: object): string =>
  JSON.stringify({ streams: [{ name: 'out', type: 'file', path: 'app.log', ...options }] }, undefined, 2);

const CASES: readonly BadInput[] = [
  { name: 'a config that is missing', code: 66, names: ['config.json', 'no such file', 'check the path'] },
  {
    name: 'a folder instead of a config',
    prepare: () => fs.mkdirSync(path.join(cwd, 'config.json')),
    code: 66,
    names: ['config.json', 'directory'],
  },
  { name: 'broken JSON', config: '{\n  "level": "info",,\n}', code: 78, names: ['config.json:2:'] },
  { name: 'an empty file', config: '', code: 78, names: ['config.json', 'empty'] },
  { name: 'a list instead of an object', config: '[]', code: 78, names: ['config.json:1:1', 'object'] },
  {
    name: 'a list instead of an inner object',
    config: '{ "streams": [], "shutdown": [] }',
    code: 78,
    names: [':1:30', 'shutdown must be an object'],
  },
  {
    name: 'UTF-16',
    config: Buffer.from('\ufeff{"level":"info"}', 'utf16le'),
    code: 78,
    names: ['config.json', 'UTF-16'],
  },
  {
    name: 'an unknown level',
    config: '{ "level": "inof" }',
    code: 78,
    names: [':1:12', '"inof"', '"info"', 'trace'],
  },
  {
    name: 'an unknown level of a stream',
    config: stream({ level: 'loud' }),
    code: 78,
    names: ['loud', 'trace'],
  },
  { name: 'an unknown key', config: '{ "levle": "info" }', code: 78, names: [':1:3', '"levle"', '"level"'] },
  { name: 'an unknown key of a stream', config: stream({ paht: 'x' }), code: 78, names: ['paht', 'path'] },
  { name: 'an unknown stream type', config: stream({ type: 'flie' }), code: 78, names: ['flie', 'file'] },
  {
    name: 'a size that is none',
    config: stream({ rotation: { size: '10Q' } }),
    code: 78,
    names: ['10Q', '10M'],
  },
  {
    name: 'two streams with one name',
    config: '{ "streams": [{ "name": "a", "type": "console" }, { "name": "a", "type": "console" }] }',
    code: 78,
    names: ['"a"'],
  },
  {
    name: 'a directory where the log file should be',
    config: stream({}),
    prepare: () => fs.mkdirSync(path.join(cwd, 'app.log')),
    code: 78,
    names: ['app.log', 'is a directory', 'name a file'],
  },
  {
    name: 'a directory where the database should be',
    config: stream({ type: 'sqlite', path: 'logs.db' }),
    prepare: () => fs.mkdirSync(path.join(cwd, 'logs.db')),
    code: 78,
    names: ['logs.db', 'is a directory', 'name a file'],
  },
  {
    name: 'a file where a folder should be',
    config: stream({ path: 'config.json/app.log' }),
    code: 78,
    names: ['config.json is a file', 'choose another path'],
  },
  {
    name: 'a path that may not be written',
    config: stream({ path: 'sealed/app.log' }),
    prepare: () => fs.mkdirSync(path.join(cwd, 'sealed'), { mode: 0o555 }),
    code: 78,
    names: ['sealed is not writable', 'choose another path'],
  },
];

/** Root may write everywhere: it hands the command to somebody else. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

describe.each(['run', 'check'] as const)('treeline %s', (command) => {
  test.each(CASES)('explains $name and exits $code', async ({ config, prepare, code, names }) => {
    if (config !== undefined) fs.writeFileSync(path.join(cwd, 'config.json'), config);
    prepare?.();
    const before = fs.readdirSync(cwd);
    const args = command === 'run' ? ['run', '-c', 'config.json'] : ['check', 'config.json'];
    const finished = await treeline(args, { cwd, input: '{"level":30,"msg":"x"}\n', ...user });
    const report = command === 'run' ? finished.stderr : finished.stdout;
    expect({ ...finished, report }).toMatchObject({ code, signal: null });
    for (const name of names) expect(report).toContain(name);
    expect(report).not.toMatch(/^\s+at /m);
    expect(report.match(/ error /g)).toHaveLength(1);
    expect(fs.readdirSync(cwd)).toEqual(before);
  });
});

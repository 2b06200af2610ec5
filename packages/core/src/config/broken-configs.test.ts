import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from './load.ts';
import { ConfigError, formatProblems, type ConfigProblem } from './problem.ts';

let cwd = '';

beforeAll(() => {
  cwd = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'broken-')));
  fs.mkdirSync(path.join(cwd, 'folder'));
  fs.writeFileSync(path.join(cwd, 'plain-file'), '');
  fs.writeFileSync(path.join(cwd, 'base.json'), '{ "streams": [{ "name": "out", "type": "console" }] }');
  fs.writeFileSync(path.join(cwd, 'circle.json'), '{ "extends": "circle.json" }');
});

afterAll(() => {
  fs.rmSync(cwd, { recursive: true });
});

function problemsOf(content: string | Buffer, env: Record<string, string> = {}): readonly ConfigProblem[] {
  fs.writeFileSync(path.join(cwd, 'c.json'), content);
  try {
    loadConfig('c.json', {
      cwd,
      env,
      transports: ['pino-absent', { type: 'here', module: path.join(cwd, 'plain-file') }],
    });
  } catch (error) {
    if (error instanceof ConfigError) {
      if (/\n\s+at /.test(error.message)) throw error;
      return error.problems.filter((problem) => problem.severity === 'error');
    }
    throw error;
  }
  throw new Error('the config was accepted');
}

/** One stream in a config of its own, the stream on the second line. */
const stream = (text: string): string => `{ "streams": [\n  { "name": "s", ${text} }\n] }`;
const file = (text: string): string => stream(`"type": "file", ${text}`);
const out = (text: string): string => stream(`"type": "console", ${text}`);

/** The mark stands before the place that the mistake must be shown at; the config is what is left without it. */
const MARK = '▸';

type Row = readonly [title: string, marked: string, code: string, message: RegExp];

const ROWS: readonly Row[] = [
  // Broken JSON.
  ['empty', '▸', 'CFG004', /the config is empty/],
  ['only spaces', '▸ \n ', 'CFG004', /the config is empty/],
  ['only a comment', '▸// nothing', 'CFG004', /the config is empty/],
  ['no object', '▸[]', 'CFG102', /the config must be an object; got a list/],
  ['a bare word', '▸hello', 'CFG004', /./],
  ['an object that never ends', '▸{ "level": "info"', 'CFG004', /"\{" that begins here is never closed/],
  ['a list that never ends', '{ "streams": [ ▸}', 'CFG004', /"\}" closes the "\[" of line 1, column 14/],
  ['a bracket too many', '{ } ▸}', 'CFG004', /nothing may follow/],
  ['trailing garbage', '{ "level": "info" }\n▸garbage', 'CFG004', /nothing may follow/],
  ['a text without its end', '{\n  "level": ▸"info,\n  "enabled": true\n}', 'CFG004', /no closing quote/],
  ['a comment without its end', '{ ▸/* "level": "info" }', 'CFG004', /comment that begins here has no end/],
  ['a missing comma', '{ "level": "info" ▸"enabled": true }', 'CFG004', /a comma is missing before this/],
  [
    'a missing comma between streams',
    '{ "streams": [ {"a":1} ▸{"b":1} ] }',
    'CFG004',
    /a comma is missing before this/,
  ],
  ['a missing colon', '{ "level" ▸"info" }', 'CFG004', /a colon is missing before this/],
  ['single quotes', "{ ▸'level': 'info' }", 'CFG004', /double quotes/],
  ['a key without quotes', '{ ▸level: "info" }', 'CFG004', /the key level needs double quotes/],
  ['a value without quotes', '{ "level": ▸info }', 'CFG004', /info is no JSON value/],
  ['True for true', '{ "enabled": ▸True }', 'CFG004', /True is no JSON value/],
  ['an unknown escape', '{ "serviceName": "a▸\\q" }', 'CFG004', /no escape that JSON knows/],
  ['a number with a leading zero', '{ "window": ▸01 }', 'CFG004', /no number begins with 0/],
  // Keys.
  [
    'a duplicate key',
    '{ "level": "info",\n  ▸"level": "warn" }',
    'CFG005',
    /"level" stands twice, first in line 1/,
  ],
  ['a duplicate key of a stream', out('▸"type": "file"'), 'CFG005', /"type" stands twice/],
  ['__proto__', '{ ▸"__proto__": { "level": "debug" } }', 'CFG006', /"__proto__" is not allowed/],
  ['constructor', '{ "fields": { ▸"constructor": 1 } }', 'CFG006', /not allowed/],
  ['a typo', '{ ▸"enabeld": true }', 'CFG101', /unknown key "enabeld"/],
  [
    'a typo of a stream',
    file('▸"paht": "a.log"'),
    'CFG101',
    /unknown key "paht" in streams\[0\] \(type "file"\)/,
  ],
  [
    'a key of another stream type',
    out('▸"rotation": {}'),
    'CFG101',
    /unknown key "rotation" in streams\[0\] \(type "console"\)/,
  ],
  [
    'an unknown key deep inside',
    file('"path": "a.log", "rotation": { ▸"siez": "1M" }'),
    'CFG101',
    /unknown key "siez" in streams\[0\]\.rotation/,
  ],
  ['a typo in a feature', '{ "enhancedFeatures": { ▸"requestTraking": {} } }', 'CFG101', /requestTraking/],
  ["log4j's shape", '{ ▸"appenders": {} }', 'CFG101', /unknown key "appenders"/],
  // Types and values.
  ['a text for a boolean', '{ "enabled": ▸"true" }', 'CFG102', /enabled must be true or false; got "true"/],
  ['a number for a text', '{ "serviceName": ▸5 }', 'CFG102', /serviceName must be a text; got 5/],
  ['null', '{ "level": ▸null }', 'CFG103', /unknown level null/],
  ['streams as an object', '{ "streams": ▸{ "a": {} } }', 'CFG102', /streams must be a list; got an object/],
  [
    'a stream that is none',
    '{ "streams": [▸"console"] }',
    'CFG102',
    /streams\[0\] must be an object; got "console"/,
  ],
  ['a level that is none', '{ "level": ▸"inof" }', 'CFG103', /unknown level "inof"/],
  [
    'a path to mask with a hole',
    '{ "redact": { "paths": [▸"a..b"] } }',
    'CFG102',
    /keys with dots between them/,
  ],
  ['a path that masks everything', out('"redact": { "paths": [▸"**"] }'), 'CFG102', /would mask everything/],
  ['a detector that is none', '{ "redact": { "detectors": [▸"iban"] } }', 'CFG102', /card|jwt|email/],
  [
    'a key of the logger among the fields',
    '{ "fields": ▸{ "level": 1 } }',
    'CFG102',
    /must not set what the logger sets/,
  ],
  ['a format that is none', file('"path": "a.log", "format": ▸"xml"'), 'CFG102', /json.*ecs.*otel.*logfmt/],
  [
    'a format for people in a file',
    file('"path": "a.log", "format": ▸"pretty"'),
    'CFG102',
    /json.*ecs.*otel.*logfmt/,
  ],
  ['a level in capitals', '{ "level": ▸"INFO" }', 'CFG103', /unknown level "INFO"/],
  ['a level as a number', out('"level": ▸30'), 'CFG103', /unknown level 30/],
  ['a maxLevel that is none', out('"maxLevel": ▸"warning"'), 'CFG103', /unknown level "warning"/],
  [
    'a level in levels that is none',
    '{ "levels": { "db": ▸"verbose" } }',
    'CFG103',
    /unknown level "verbose"/,
  ],
  ['a name in levels that is none', '{ "levels": { ▸"a*b": "info" } }', 'CFG502', /names no logger/],
  [
    'a size that is none',
    file('"path": "a.log", "rotation": { "size": ▸"10X" }'),
    'CFG102',
    /rotation\.size must be a number of bytes or a text like/,
  ],
  ['a negative size', '{ "window": ▸-1 }', 'CFG102', /window must be a number of bytes/],
  [
    'a duration that is none',
    file('"path": "a.log", "rotation": { "interval": ▸"1 fortnight" }'),
    'CFG102',
    /rotation\.interval must/,
  ],
  [
    'a duration in another style',
    out('"flushInterval": ▸"1sec"'),
    'CFG102',
    /flushInterval must be a number of milliseconds or a text like/,
  ],
  ['a buffer that is none', out('"bufferSize": ▸"many"'), 'CFG102', /bufferSize must be a number of bytes/],
  [
    'a shutdown that takes too long',
    '{ "shutdown": { "timeout": ▸"61s" } }',
    'CFG102',
    /shutdown\.timeout must be at most 60s; got "61s"/,
  ],
  [
    'a mode that is none',
    '{ "mode": ▸"thread" }',
    'CFG102',
    /mode must be one of worker, in-process; got "thread"/,
  ],
  ['a durability that is none', '{ "durability": ▸"proces" }', 'CFG102', /durability must be one of/],
  ['a policy that is none', out('"queue": { "whenFull": ▸"block" }'), 'CFG102', /whenFull must be one of/],
  ['a rate beyond one', out('"sample": { "rate": ▸2 }'), 'CFG102', /rate must be between 0 and 1; got 2/],
  [
    'a count that is no whole number',
    '{ "enhancedFeatures": { "errorLogging": { "maxHistorySize": ▸1.5 } } }',
    'CFG102',
    /must be a whole number/,
  ],
  ['a console that is neither', out('"stderr": ▸"yes"'), 'CFG102', /stderr must be true or false; got "yes"/],
  ['a version from the future', '{ "version": ▸2 }', 'CFG102', /version must be one of 1; got 2/],
  // Streams.
  ['no type', '{ "streams": [▸{ "name": "s" }] }', 'CFG104', /"type" is missing in streams\[0\]/],
  ['an unknown type', stream('"type": ▸"flie"'), 'CFG201', /unknown stream type "flie"/],
  [
    'a package that is not listed',
    stream('"type": ▸"treeline-kafka"'),
    'CFG201',
    /unknown stream type "treeline-kafka"/,
  ],
  [
    'a listed package that is not installed',
    stream('"type": ▸"pino-absent"'),
    'CFG202',
    /pino-absent is not installed/,
  ],
  [
    'a pino target that is not listed',
    stream('"type": "pino", "target": ▸"pino-loki"'),
    'CFG201',
    /"pino-loki" is not listed/,
  ],
  [
    'pino without a target',
    '{ "streams": [ ▸{ "name": "s", "type": "pino" } ] }',
    'CFG104',
    /"target" is missing/,
  ],
  [
    'options beside a pino target',
    stream('"type": "pino", "target": "here", ▸"host": "x"'),
    'CFG101',
    /unknown key "host"/,
  ],
  [
    'a file without a path',
    '{ "streams": [ ▸{ "name": "s", "type": "file" } ] }',
    'CFG104',
    /"path" is missing in streams\[0\] \(type "file"\)/,
  ],
  [
    'two streams with one name',
    '{ "streams": [\n{ "name": "a", "type": "console" },\n{ "name": ▸"a", "type": "console" }] }',
    'CFG403',
    /streams\[0\] and streams\[1\] are both called "a"/,
  ],
  [
    'two streams on one file',
    '{ "streams": [\n{ "name": "a", "type": "file", "path": "x.log" },\n{ "name": "b", "type": "file", "path": ▸"./y/../x.log" }] }',
    'CFG402',
    /"a" and "b" write the same file .*x\.log/,
  ],
  ['a folder as a file', file('"path": ▸"folder"'), 'CFG401', /folder is a directory/],
  [
    'a folder as a database',
    stream('"type": "sqlite", "path": ▸"./folder"'),
    'CFG401',
    /folder is a directory/,
  ],
  ['a file as a folder', file('"path": ▸"plain-file/a.log"'), 'CFG401', /plain-file is a file, not a folder/],
  ['a fallback that is no stream', out('"fallback": ▸"fiel"'), 'CFG405', /the fallback "fiel" is no stream/],
  ['a stream that falls back on itself', out('"fallback": ▸"s"'), 'CFG405', /in a circle: s → s/],
  // Filters.
  ['a filter with a typo', out('"filter": "level>=▸eror"'), 'CFG501', /unknown level "eror"/],
  ['a filter cut short', out('"filter": "audit=true and▸"'), 'CFG501', /./],
  ['a filter behind an escape', out('"filter": "\\"a\\u0020b\\" level=▸>5"'), 'CFG501', /./],
  ['a filter with a pipe', out('"filter": "a ▸| count"'), 'CFG501', /no stages/],
  ['a filter with since', out('"filter": "▸since:1h"'), 'CFG501', /"since" can't stand in a filter/],
  ['an empty filter', out('"filter": "▸"'), 'CFG501', /the filter is empty/],
  ['a broken expression', out('"filter": "msg=~▸/(/"'), 'CFG501', /broken regular expression/],
  ['a filter as a tree', out('"filter": ▸{ "all": [] }'), 'CFG102', /filter must be a text; got an object/],
  [
    'a broken exception of a sample',
    out('"sample": { "rate": 0.5, "keep": "level▸~x" }'),
    'CFG501',
    /no text/,
  ],
  // Interpolation and layers.
  ['an unset variable', '{ "serviceName": "▸${NOPE_NOT_SET}" }', 'CFG310', /\$\{NOPE_NOT_SET\} is unset/],
  [
    'an unset variable with a message',
    '{ "serviceName": "a ▸${NOPE:?ask the team}" }',
    'CFG310',
    /unset: ask the team/,
  ],
  ['a reference without its end', '{ "serviceName": "▸${NOPE" }', 'CFG311', /never closed/],
  ['a reference that is none', '{ "serviceName": "▸${a b}" }', 'CFG311', /no reference/],
  [
    'a secret file that is missing',
    '{ "serviceName": "▸${file:/nope/secret}" }',
    'CFG312',
    /there is no such file/,
  ],
  ['a secret file by a relative path', '{ "serviceName": "▸${file:secret}" }', 'CFG312', /not absolute/],
  ['a device as a secret', '{ "serviceName": "▸${file:/dev/zero}" }', 'CFG312', /no regular file/],
  [
    'a credential without systemd',
    '{ "serviceName": "▸${credential:x}" }',
    'CFG312',
    /CREDENTIALS_DIRECTORY is unset/,
  ],
  [
    'an extended config that is missing',
    '{ "extends": ▸"nope.json" }',
    'CFG320',
    /extends "nope\.json": there is no such file/,
  ],
  ['configs in a circle', '{ "extends": ▸"c.json" }', 'CFG320', /in a circle/],
  [
    'a stream of an overlay that is none',
    '{ "extends": "base.json", "streams": { ▸"oot": { "level": "info" } } }',
    'CFG330',
    /names no stream/,
  ],
  [
    'an overlay that extends',
    '{ "environments": { "test": { ▸"extends": "base.json" } } }',
    'CFG330',
    /"extends" has no meaning in an overlay/,
  ],
  [
    'an overlay that would replace all streams',
    '{ "environments": { "test": { ▸"streams": [] } } }',
    'CFG330',
    /an object by stream name/,
  ],
];

describe('a broken config', () => {
  test.each(ROWS)('with %s is refused at its place', (_title, marked, code, message) => {
    const text = marked.replace(MARK, '');
    const before = marked.slice(0, marked.indexOf(MARK));
    const [problem, ...others] = problemsOf(text, { NODE_ENV: 'test' });
    expect(others).toEqual([]);
    expect(problem).toMatchObject({
      file: 'c.json',
      code,
      line: before.split('\n').length,
      column: before.length - before.lastIndexOf('\n'),
    });
    expect(problem?.message).toMatch(message);
    expect(problem?.message).toMatch(/^(?:[^A-Z]|True|INFO)/);
  });

  test.each<[string, Buffer | string, string, RegExp]>([
    ['UTF-16LE', Buffer.from('\ufeff{}', 'utf16le'), 'CFG002', /encoded as UTF-16LE/],
    ['UTF-16LE without a mark', Buffer.from('{}', 'utf16le'), 'CFG002', /encoded as UTF-16LE/],
    ['UTF-16BE', Buffer.from('\ufeff{}', 'utf16le').swap16(), 'CFG002', /encoded as UTF-16BE/],
    ['Latin-1', Buffer.from('{ "serviceName": "é" }', 'latin1'), 'CFG002', /no UTF-8/],
    ['2 MB', `{ "serviceName": "${'x'.repeat(2 * 1024 ** 2)}" }`, 'CFG003', /more than 1048576 bytes/],
    ['depth 1 000', '{"fields":'.repeat(1_000) + '1' + '}'.repeat(1_000), 'CFG003', /deeper than 64 levels/],
    ['depth 400 000', '['.repeat(400_000), 'CFG003', /deeper than 64 levels/],
  ])('of %s is refused', (_title, content, code, message) => {
    const problems = problemsOf(content);
    expect(problems).toMatchObject([{ file: 'c.json', code }]);
    expect(problems[0]?.message).toMatch(message);
  });

  const size = 256 * 1024;
  const hostile = (make: (index: number) => string, separator: string): string => {
    let text = '';
    for (let index = 0; text.length < size - 40; index++) text += (index > 0 ? separator : '') + make(index);
    return text;
  };

  test.each<[string, () => string]>([
    ['unknown keys', () => `{${hostile((index) => `"k${index}":0`, ',')}}`],
    ['streams that are none', () => `{"streams":[${hostile(() => '1', ',')}]}`],
    ['empty streams', () => `{"streams":[${hostile(() => '{}', ',')}]}`],
    ['duplicate keys', () => `{${hostile(() => '"a":0', ',')}}`],
    ['lines', () => `{${hostile((index) => `"k${index}":0`, ',\n')}}`],
    ['spaces', () => `{${' '.repeat(size / 2)}"a":1${' '.repeat(size / 2 - 20)} "b"}`],
    ['dots', () => `{"a":"${hostile(() => 'a', '.')}"}`],
    ['question marks', () => `{"a":"${'?'.repeat(size)}"}`],
    ['references', () => `{"serviceName":"${hostile(() => '${A', '')}"}`],
    ['quotes', () => `{"a":${hostile(() => '"', ' ')}}`],
    ['comments', () => `{${hostile(() => '/**/', '')} a}`],
    ['slashes', () => `{"level":"${'\\\\'.repeat(size / 2)}"}`],
  ])('of 256 KB of %s is refused within seconds, with a report that can be read', (_title, make) => {
    const before = performance.now();
    const problems = problemsOf(make());
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.length).toBeLessThanOrEqual(1001);
    expect(formatProblems(problems).length).toBeLessThan(2_000_000);
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  test.each([
    ['that is missing', 'nope.json', /there is no such file/],
    ['that is a directory', 'folder', /it is a directory/],
    ['behind a file', 'plain-file/c.json', /there is no such file/],
  ])('%s exits with 66', (_title, name, message) => {
    let fault: unknown;
    try {
      loadConfig(name, { cwd, env: {} });
    } catch (error) {
      fault = error;
    }
    expect(fault).toMatchObject({
      code: 'CONFIG_UNREADABLE',
      exitCode: 66,
      message: expect.stringMatching(message),
    });
  });

  test.each<[string, () => object, string]>([
    ['that contains itself', cyclic, 'CFG003'],
    ['with a function', () => ({ serviceName: () => 1 }), 'CFG102'],
    ['with a function for a third party', () => thirdParty({ onError: () => 1 }), 'CFG102'],
    ['with what no thread can be given', () => thirdParty({ jobs: new WeakMap() }), 'CFG102'],
    ['with a Date', () => ({ serviceName: new Date() }), 'CFG102'],
    ['with __proto__ from JSON', () => JSON.parse('{ "__proto__": {} }') as object, 'CFG006'],
    ['that is an array', () => [], 'CFG102'],
  ])('given as an object %s is refused', (_title, make, code) => {
    let problems: readonly ConfigProblem[] = [];
    try {
      loadConfig(make(), { cwd, env: {} });
    } catch (error) {
      if (error instanceof ConfigError) problems = error.problems;
    }
    expect(problems).toMatchObject([{ code }]);
  });

  test('that nobody catches ends a program with the report alone', () => {
    fs.writeFileSync(path.join(cwd, 'uncaught.json'), '{ "level": "inof" }');
    const loader = new URL('../../dist/config/loader.js', import.meta.url).href;
    const script = `import { loadConfig } from ${JSON.stringify(loader)}; loadConfig('uncaught.json', { env: {} });`;
    const { stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd,
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toContain('ConfigError: uncaught.json:1:12 error CFG103  unknown level "inof"');
    expect(stderr).not.toMatch(/\n\s+at |problems/);
  });

  test('starts nothing and writes nothing', () => {
    const before = fs.readdirSync(cwd).toSorted();
    problemsOf(file('"path": "new/folder/a.log", "bufferSize": "x"'));
    expect(fs.readdirSync(cwd).toSorted()).toEqual(
      before.includes('c.json') ? before : [...before, 'c.json'].toSorted(),
    );
  });
});

describe('formatProblems', () => {
  const MANY = `{
  "level": "inof",                     // a typo
  "enabeld": true,
  "serviceName": "\${SERVICE_NAME}",
  "streams": [
    { "name": "console", "type": "console", "strerr": true, "level": 30 },
    { "name": "file", "type": "file", "paht": "./logs/app.log", "rotation": { "size": "10X" } },
    { "name": "file", "type": "sqlite", "path": "folder", "filter": "level>=warn and audit=" },
    { "name": "collector", "type": "netwrok", "url": "https://user:hunter2@collector/?token=hunter2", "password": "hunter2" }
  ],
  "shutdown": { "timeout": "2m" }
}
`;

  function report(format: 'text' | 'json' | 'github'): string {
    const problems = problemsOf(MANY);
    return formatProblems(problems, format).replaceAll(cwd, '<folder>');
  }

  test.each(['text', 'json', 'github'] as const)('prints a report as %s', async (format) => {
    await expect(`${report(format)}\n`).toMatchFileSnapshot(`./testdata/report.${format}`);
  });

  test('shows no secret, whatever the place of the mistake', () => {
    for (const format of ['text', 'json', 'github'] as const) expect(report(format)).not.toContain('hunter2');
  });
});

function thirdParty(options: object): object {
  return { streams: [{ name: 'loki', type: 'pino', target: 'pino-loki', options }] };
}

function cyclic(): object {
  const value: Record<string, unknown> = {};
  value['fields'] = { value };
  return value;
}

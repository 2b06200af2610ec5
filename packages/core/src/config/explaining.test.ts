import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkConfig } from './check.ts';
import { diffConfigs } from './diff.ts';
import { explainConfig } from './explain.ts';
import { loadConfig, type LoadContext } from './load.ts';
import { printConfig } from './print-config.ts';
import { formatReloadPlan } from './reload-plan.ts';
import { CONFIG_TEMPLATE } from './template.ts';
import { testConfig } from './test-config.ts';

let cwd = '';

beforeAll(() => {
  cwd = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'explain-')));
  fs.writeFileSync(path.join(cwd, 'secret'), 'hunter2');
  fs.writeFileSync(
    path.join(cwd, 'base.json'),
    '{\n  "level": "debug",\n  "fields": { "team": "payments" }\n}\n',
  );
  fs.writeFileSync(
    path.join(cwd, 'c.json'),
    `{
  "extends": "base.json",
  "level": "info",
  "serviceName": "\${SERVICE:-orders}",
  "fields": { "apiKey": "hunter2", "url": "https://me:hunter2@host/?token=hunter2", "note": "\${file:${cwd}/secret}" },
  "streams": [
    { "name": "console", "type": "console" },
    { "name": "errors", "type": "console", "stderr": true, "level": "debug" }
  ],
  "environments": {
    "production": {
      "level": "warn",
      "streams": { "console": { "stderr": true } }
    }
  }
}
`,
  );
});

afterAll(() => {
  fs.rmSync(cwd, { recursive: true });
});

const production = { NODE_ENV: 'production', LOG_LEVEL: 'error', LOG_LEVEL_ERRORS: 'trace' };

function context(env: Record<string, string> = production): LoadContext {
  return { cwd, env };
}

describe('printConfig', () => {
  test('tells where each value comes from, and shows no secret', async () => {
    const text = printConfig('c.json', context(), { origin: true });
    expect(text).not.toContain('hunter2');
    await expect(`${text}\n`).toMatchFileSnapshot('./testdata/print-origin.txt');
  });

  test('prints a config that means the same, as far as it holds no secret', () => {
    const source = {
      level: 'warn',
      window: '1M',
      streams: [{ name: 'f', type: 'file', path: 'a.log', rotation: { size: '1M' } }],
    };
    const printed = printConfig(source, context({}));
    expect(loadConfig(JSON.parse(printed) as object, context({})).config).toEqual(
      loadConfig(source, context({})).config,
    );
  });
});

describe('explainConfig', () => {
  test('tells the layers of a value, what it means and what sets it', () => {
    expect(explainConfig('level', 'c.json', context())).toBe(
      [
        'level = "error"',
        '  from  LOG_LEVEL',
        '  over  c.json:12 (overlay production): "warn"',
        '  over  c.json:3: "info"',
        '  over  base.json:2: "debug"',
        '  The root level, which streams without one follow.',
        '  default: "info"',
        '  variable: LOG_LEVEL',
        '  on reload: live',
      ].join('\n'),
    );
  });

  test.each([
    [
      'streams.errors.level',
      /^streams\[1\]\.level = "trace"\n {2}from {2}LOG_LEVEL_ERRORS\n {2}over {2}c\.json:8: "debug"/,
    ],
    ['streams.console.stderr', /= true\n {2}from {2}c\.json:13 \(overlay production\)/],
    ['streams.errors.filter', /= not set\n.*A condition in the query language/],
    ['streams.errors.queue.maxBytes', /= not set/],
    ['streams[1].format', /= "auto"\n {2}from {2}default/],
    ['fields.apiKey', /= "\*{8}"/],
    ['fields.note', /= "\*{8}"/],
    ['window', /= "16M"\n {2}from {2}default/],
    ['streams', /a list of 2/],
  ])('explains %s', (key, expected) => {
    expect(explainConfig(key, 'c.json', context())).toMatch(expected);
  });

  test('shows the directives of LOG_LEVEL where they act', () => {
    const env = { LOG_LEVEL: 'warn,db=debug,[job{kind="a b"}]=off' };
    const source = { levels: { db: 'error', http: 'info' } };
    expect(explainConfig('levels.db', source, context(env))).toMatch(
      /^levels\.db = "debug"\n {2}from {2}LOG_LEVEL\n {2}over {2}object: "error"/,
    );
    expect(printConfig(source, context(env), { origin: true })).toContain(
      '"[job{kind=\\"a b\\"}]": "silent"  // LOG_LEVEL',
    );
  });

  test('refuses a path that leads nowhere, with the key that was probably meant', () => {
    expect(() => explainConfig('levle', 'c.json', context())).toThrow(/got "levle"; did you mean level\?/);
  });
});

describe('diffConfigs', () => {
  const stream = { name: 's', type: 'file', path: 'a.log' };

  test.each([
    ['nothing', stream, stream, 'keep', []],
    ['a level', stream, { ...stream, level: 'warn' }, 'live', ['level']],
    ['a buffer', stream, { ...stream, bufferSize: '1M' }, 'live', ['batch']],
    ['a path', stream, { ...stream, path: 'b.log' }, 'swap', ['path']],
    [
      'the rotation of the same file',
      stream,
      { ...stream, rotation: { size: '1M' } },
      'handover',
      ['rotation'],
    ],
    ['the type', stream, { ...stream, type: 'sqlite' }, 'swap', ['type', 'moduleUrl', 'options']],
  ])('plans a change of %s', (_, from, to, action, changed) => {
    const plan = diffConfigs({ streams: [from] }, { streams: [to] }, context({}));
    expect(plan.streams).toEqual([{ name: 's', action, changed: expect.arrayContaining(changed) }]);
  });

  test('names streams that come and go, and what needs a restart', () => {
    const other = { name: 'o', type: 'console' };
    const plan = diffConfigs(
      { streams: [stream] },
      { level: 'warn', window: '1M', streams: [other] },
      context({}),
    );
    expect(formatReloadPlan(plan)).toBe(
      ['o  add', 's  remove', 'in place: level', 'only after a restart: windowBytes'].join('\n'),
    );
  });
});

describe('testConfig', () => {
  const streams = [
    { name: 'all', type: 'console' },
    { name: 'loud', type: 'console', level: 'warn', maxLevel: 'error' },
    { name: 'audit', type: 'console', filter: 'audit=true', level: 'trace' },
  ];
  const given = [
    { level: 'info', msg: 'GET /healthz' },
    { level: 40, audit: true },
    { level: 'fatal' },
    { level: 'debug', name: 'db', audit: true },
  ];

  test('sends records through levels and filters, each test with variables of its own', () => {
    const tests = [
      { name: 'right', given, expect: { all: { count: 3 }, loud: { count: 1 }, audit: { count: 2 } } },
      { name: 'with a variable', env: { LOG_LEVEL: 'fatal' }, given, expect: { all: { count: 1 } } },
      { name: 'with a directive', env: { LOG_LEVEL: 'info,db=debug' }, given, expect: { all: { count: 4 } } },
      { name: 'wrong', given, expect: { loud: { count: 2 }, nope: { count: 0 } } },
    ];
    expect(testConfig({ streams, tests }, context({}))).toEqual([
      { name: 'right', passed: true, failures: [] },
      { name: 'with a variable', passed: true, failures: [] },
      { name: 'with a directive', passed: true, failures: [] },
      {
        name: 'wrong',
        passed: false,
        failures: ['loud receives 1 of 4 records, not 2', 'there is no stream "nope"'],
      },
    ]);
  });
});

test('a record of a test with an unknown level fails the test', () => {
  const config = {
    streams: [{ name: 'c', type: 'console' }],
    tests: [{ name: 't', given: [{ level: 'eror' }], expect: { c: { count: 1 } } }],
  };
  expect(testConfig(config, context({}))).toMatchObject([
    { passed: false, failures: [expect.stringContaining('unknown level "eror"')] },
  ]);
});

describe('checkConfig', () => {
  const file = { name: 's', type: 'file', path: 'a.log' };

  test.each<[string, object, Record<string, string>, string | undefined]>([
    [
      'a level above its maxLevel',
      { name: 's', type: 'console', level: 'error', maxLevel: 'warn' },
      {},
      'CFG604',
    ],
    ['a maxLevel below the root level', { name: 's', type: 'console', maxLevel: 'debug' }, {}, 'CFG604'],
    ['a silent level', { name: 's', type: 'console', level: 'silent' }, {}, 'CFG604'],
    [
      'a filter that shuts out its levels',
      { name: 's', type: 'console', level: 'error', filter: 'level<warn' },
      {},
      'CFG604',
    ],
    [
      'a filter on levels that fits',
      { name: 's', type: 'console', level: 'error', filter: 'level=fatal' },
      {},
      undefined,
    ],
    ['a sample that drops errors', { name: 's', type: 'console', sample: { rate: 0.1 } }, {}, 'CFG606'],
    [
      'a sample that keeps errors',
      { name: 's', type: 'console', sample: { rate: 0.1, keep: 'level>=error' } },
      {},
      undefined,
    ],
    [
      'a sample of what is no error',
      { name: 's', type: 'console', maxLevel: 'warn', sample: { rate: 0.1 } },
      {},
      undefined,
    ],
    ['a size in bytes', { ...file, rotation: { size: 10 }, retention: { maxFiles: 5 } }, {}, 'CFG603'],
    ['rotation without retention', { ...file, rotation: { size: '10M' } }, {}, 'CFG605'],
    [
      'LOG_LEVEL where nobody follows',
      { name: 's', type: 'console', level: 'info' },
      { LOG_LEVEL: 'debug' },
      'CFG608',
    ],
    ['LOG_LEVEL where somebody follows', { name: 's', type: 'console' }, { LOG_LEVEL: 'debug' }, undefined],
    ['an exit that PM2 cuts short', { name: 's', type: 'console' }, { pm_id: '0' }, 'CFG607'],
    [
      'an exit that Kubernetes waits for',
      { name: 's', type: 'console' },
      { KUBERNETES_SERVICE_HOST: '10.0.0.1' },
      undefined,
    ],
  ])('finds %s', (_, stream, env, code) => {
    const codes = checkConfig({ streams: [stream] }, context(env)).problems.map((problem) => problem.code);
    expect(codes.filter((found) => found !== 'CFG701')).toEqual(code === undefined ? [] : [code]);
  });

  test('says nothing of what it can only be told by a start', () => {
    expect(
      loadConfig({ streams: [{ name: 's', type: 'console', level: 'silent' }] }, context({})).warnings,
    ).toEqual([]);
  });

  test('looks into every environment, as far as it can be judged from here', () => {
    const source = {
      streams: [{ name: 'a', type: 'console' }],
      environments: {
        production: { level: 'inof', serviceName: '${ONLY_THERE}' },
        staging: { streams: { a: { strerr: true } } },
      },
    };
    expect(checkConfig(source, context({ NODE_ENV: 'test' })).problems).toMatchObject([
      { code: 'CFG103', message: 'unknown level "inof" (in the environment production)' },
      { code: 'CFG101', message: expect.stringMatching(/strerr.*\(in the environment staging\)/) },
    ]);
    expect(loadConfig(source, context({ NODE_ENV: 'test' })).config.level).toBe('info');
  });

  test('gives mistakes back instead of throwing them', () => {
    expect(checkConfig({ level: 'inof' }, context({})).problems).toMatchObject([
      { code: 'CFG103', severity: 'error' },
    ]);
    expect(checkConfig('nope.json', context({})).problems).toMatchObject([{ code: 'CFG001' }]);
  });
});

test('the config that is written for a new project is valid in every environment', () => {
  fs.writeFileSync(path.join(cwd, 'new.json'), CONFIG_TEMPLATE);
  for (const env of [{}, { NODE_ENV: 'production' }])
    expect(checkConfig('new.json', context(env)).problems).toEqual([]);
});

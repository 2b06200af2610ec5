import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig, type LoadContext, type LoadedConfig } from './load.ts';
import { ConfigError } from './problem.ts';
import { printConfig } from './print-config.ts';

let cwd = '';

beforeEach(() => {
  cwd = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'config-')));
});

afterEach(() => {
  fs.rmSync(cwd, { recursive: true });
});

function write(name: string, content: string | object): string {
  const file = path.join(cwd, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

function load(source?: string | object, context: LoadContext = {}): LoadedConfig {
  return loadConfig(source, { cwd, env: {}, ...context });
}

function faultOf(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the config was accepted');
}

const FOUNDING = `{
  "enabled": true,
  "level": "info",
  "timestamp": true,
  "serviceName": "claude-code-router",
  "streams": [
    { "name": "console-output", "type": "console", "level": "info" },
    { "name": "error-file", "type": "file", "level": "error", "path": "./logs/error.log",
      "rotation": { "size": "10M", "interval": "1d" } }
  ],
  "enhancedFeatures": {
    "requestTracking": { "enabled": true, "maxActiveRequests": 1000, "maxContextAge": 1800000 },
    "streamTracking": { "enabled": true, "enableMetrics": true },
    "errorLogging": { "enabled": true, "enableStatistics": true, "maxHistorySize": 1000 }
  }
}
`;

describe('loadConfig', () => {
  test('takes the founding config as it stands', () => {
    const file = write('logging-config.json', FOUNDING);
    const { config } = load('logging-config.json');
    expect(config).toMatchObject({
      file,
      enabled: true,
      level: 'info',
      timestamp: true,
      serviceName: 'claude-code-router',
      mode: 'worker',
      durability: 'none',
      windowBytes: 16 * 1024 ** 2,
      spool: { maxBytes: 1024 ** 3, segmentBytes: 8 * 1024 ** 2 },
      shutdownTimeoutMs: 3_000,
      stateDirectory: path.join(cwd, 'logs/.treeline'),
    });
    expect(config.streams).toMatchObject([
      {
        name: 'console-output',
        type: 'console',
        level: 30,
        moduleUrl: undefined,
        options: { stderr: false, format: 'auto' },
        queue: { maxBytes: 8 * 1024 ** 2, whenFull: 'drop-by-level' },
      },
      {
        name: 'error-file',
        type: 'file',
        level: 50,
        moduleUrl: expect.stringMatching(/^file:.*index\.js$/),
        options: {
          path: path.join(cwd, 'logs/error.log'),
          rotation: { size: 10 * 1024 ** 2, interval: 86_400_000 },
        },
        queue: { maxBytes: 1024 ** 3, whenFull: 'spill' },
      },
    ]);
    expect(structuredClone(config)).toEqual(config);
  });

  test.each<[string, string]>([
    [
      'production, with a comment in the line',
      FOUNDING.replace('"level": "info",', '"level": "warn",  // production'),
    ],
    [
      'development',
      FOUNDING.replace(
        '"type": "console", "level": "info"',
        '"type": "console", "level": "debug", "stderr": false',
      ),
    ],
    ['test', FOUNDING.replace('"enabled": true,\n  "level"', '"enabled": false,\n  "level"')],
    [
      'buffers',
      FOUNDING.replace('"rotation"', '"bufferSize": 4096, "flushInterval": 1000,\n      "rotation"'),
    ],
    [
      'a collector',
      FOUNDING.replace(
        '"streams": [',
        '"streams": [\n    { "name": "n", "type": "network", "url": "http://log-collector:8080/logs", "method": "POST" },',
      ),
    ],
    [
      'automatic clean-up',
      FOUNDING.replace(
        '"maxContextAge": 1800000',
        '"maxContextAge": 1800000, "autoCleanup": true, "cleanupInterval": 60000',
      ),
    ],
    ['a byte order mark and trailing commas', `\ufeff${FOUNDING.replace('"1d" } }', '"1d", }, },')}`],
    ['Windows line ends', FOUNDING.replaceAll('\n', '\r\n')],
  ])('takes the founding config with %s', (_, text) => {
    write('c.json', text);
    const { config } = load('c.json');
    expect(config.streams.map((stream) => stream.name).filter((name) => name !== 'n')).toEqual([
      'console-output',
      'error-file',
    ]);
  });

  test('names in warnings what it knows and nothing acts on, and not what is switched off', () => {
    write('c.json', '{\n  "enhancedFeatures": { "performanceMetrics": { "sampleRate": 0.1 } }\n}');
    expect(load('c.json').warnings).toMatchObject([
      { code: 'CFG701', severity: 'warning', path: 'enhancedFeatures.performanceMetrics', line: 2 },
    ]);
    write('off.json', '{ "enhancedFeatures": { "performanceMetrics": { "enabled": false } } }');
    expect(load('off.json').warnings).toEqual([]);
  });

  test('checks a network stream by its own schema, and fills in what it leaves out', () => {
    const { config } = load({
      streams: [{ name: 'n', type: 'network', url: 'http://x/logs', bufferSize: 500 }],
    });
    expect(config.streams).toMatchObject([
      {
        batch: { maxRecords: 500 },
        options: { url: 'http://x/logs', protocol: 'http', timeout: 30_000, retry: { minMs: 500 } },
      },
    ]);
  });

  test('never quotes the password of a url', () => {
    write(
      'c.json',
      '{ "streams": [{ "name": "n", "type": "network", "url": "http://me:hunter22@x/logs" }] }',
    );
    let told = '';
    try {
      load('c.json');
    } catch (error) {
      told = String(error);
    }
    expect(told).toContain('must not hold a user or password');
    expect(told).not.toContain('hunter22');
  });

  test.each([
    ['an object', '{ "user": "me-4711", "nested": { "list": ["x-4711"], "pin": 4711 } }'],
    ['a list of objects', '[{ "a": "x-4711" }, 4711]'],
    ['a number', '4711'],
    ['an object without its end', '{ "user": "me-4711", "pin": 4711'],
    ['a text without quotes', 'x-4711'],
    ['escaped quotes', '"a\\"x-4711"'],
  ])('shows nothing of %s under a secret key', (_, value) => {
    for (const key of ['auth', 'credentials', 'dbSecrets', 'password']) {
      const text = `{ "fields": { "${key}": ${value} }, "levle": "info" }`;
      const { message } = faultOf(() => load(write('secrets.json', text)));
      expect(message).not.toContain('4711');
      if (!/without/.test(_)) {
        const file = write('whole.json', text.replace('levle', 'level'));
        expect(printConfig(file, { cwd, env: {} })).not.toContain('4711');
        expect(message).toContain('"levle": "info"');
      }
    }
  });

  test('shows no header and no private key in a report or a print', () => {
    const stream = {
      type: 'network',
      url: 'http://x',
      headers: { 'x-team-pass-phrase': 'hunter22', 'x-other': 'hunter22' },
      tls: { cert: 'c.pem', key: '-----BEGIN PRIVATE KEY-----hunter22-----END PRIVATE KEY-----' },
    };
    const name = { name: 'n' };
    write('c.json', JSON.stringify({ streams: [{ ...name, ...stream, timeout: 0 }] }));
    let told = '';
    try {
      load('c.json');
    } catch (error) {
      told = String(error);
    }
    expect(told).toContain('timeout');
    expect(told + printConfig({ streams: [{ ...name, ...stream }] })).not.toContain('hunter22');
  });

  test('writes to the console where there is no config, and nothing where the list of streams is empty', () => {
    expect(load().config.streams).toMatchObject([{ name: 'console', type: 'console', level: undefined }]);
    const { config, warnings } = load({ streams: [] });
    expect(config.streams).toEqual([]);
    expect(warnings[0]?.code).toBe('CFG601');
  });

  test.each([
    ['4096 bytes on a file', { type: 'file', path: 'a.log', bufferSize: 4096 }, { maxBytes: 4096 }],
    ['500 records on a store', { type: 'sqlite', path: 'a.db', bufferSize: 500 }, { maxRecords: 500 }],
    ['64K on a store', { type: 'sqlite', path: 'a.db', bufferSize: '64K' }, { maxBytes: 65_536 }],
    ['a delay', { type: 'console', flushInterval: '5s' }, { maxDelayMs: 5_000 }],
    ['no buffer', { type: 'file', path: 'a.log', bufferSize: 0 }, { maxBytes: 1 }],
    [
      'the full form over the founding one',
      { type: 'console', bufferSize: 1, batch: { maxBytes: '1K' } },
      { maxBytes: 1024 },
    ],
  ])('reads a buffer of %s as batches', (_, stream, batch) => {
    const { config } = load({ streams: [{ name: 's', ...stream }] });
    expect(config.streams[0]?.batch).toEqual(batch);
  });

  test.each([
    [{}, './logs/a.log', 'logs/a.log'],
    [{}, 'a.log', 'a.log'],
    [{ directory: 'var' }, './logs/a.log', 'var/a.log'],
    [{ directory: 'var' }, 'x/a.log', 'var/x/a.log'],
    [{ directory: 'var' }, 'logsx/a.log', 'var/logsx/a.log'],
    [{ directory: 'var' }, '/tmp/a.log', '/tmp/a.log'],
  ])('with %j finds %s at %s', (config, given, expected) => {
    const { streams } = load({ ...config, streams: [{ name: 's', type: 'file', path: given }] }).config;
    expect(streams[0]?.options).toMatchObject({ path: path.resolve(cwd, expected) });
  });

  test('puts the path that a store has by default below the directory too', () => {
    const { streams } = load({ directory: 'var', streams: [{ name: 's', type: 'sqlite' }] }).config;
    expect(streams[0]?.options).toMatchObject({ path: path.join(cwd, 'var/data/logs.db') });
  });

  test('keeps state in the directory of the logs, unless told otherwise', () => {
    expect(load({ directory: 'var' }).config.stateDirectory).toBe(path.join(cwd, 'var/.treeline'));
    expect(load({ stateDirectory: 'st', directory: 'var' }).config.stateDirectory).toBe(path.join(cwd, 'st'));
  });

  test('checks a stream that is switched off, and leaves it out', () => {
    const off = { name: 'f', type: 'file', path: 'a.log', enabled: false };
    expect(load({ streams: [off] }).config.streams).toEqual([]);
    expect(faultOf(() => load({ streams: [{ ...off, paht: 1 }] })).problems[0]?.code).toBe('CFG101');
  });

  test.each([
    [{ OFF: 'false' }, 0],
    [{ OFF: 'true' }, 1],
    [{}, 0],
  ])('a stream is switched by a variable: %j', (env, count) => {
    const streams = [{ name: 'c', type: 'console', enabled: '${OFF:-false}' }];
    expect(load({ streams }, { env }).config.streams).toHaveLength(count);
    expect(printConfig({ streams }, { cwd, env })).toContain(`"enabled": ${count === 1}`);
  });

  test('refuses a fallback that is switched off, unless the stream is too', () => {
    const spare = { name: 'spare', type: 'console', enabled: false };
    const main = { name: 'main', type: 'console', stderr: true, fallback: 'spare' };
    expect(faultOf(() => load({ streams: [main, spare] })).problems).toMatchObject([
      { code: 'CFG405', message: 'the fallback "spare" is switched off' },
    ]);
    expect(load({ streams: [{ ...main, enabled: false }, spare] }).config.streams).toEqual([]);
  });

  test('opens nothing for a logger that is switched off, so an impossible path is no mistake', () => {
    const streams = [{ name: 'f', type: 'file', path: cwd }];
    expect(load({ enabled: false, streams }).config.enabled).toBe(false);
    expect(faultOf(() => load({ streams })).problems[0]?.code).toBe('CFG401');
  });

  test('allows keys of others: $schema, and x- anywhere', () => {
    const { warnings } = load({
      $schema: 's',
      'x-note': 1,
      streams: [{ name: 'c', type: 'console', 'x-owner': 'me' }],
    });
    expect(warnings).toEqual([]);
  });

  test('lets a listed package be a stream type, and a listed module stand for one', () => {
    write('node_modules/treeline-kafka/package.json', { name: 'treeline-kafka', exports: './index.js' });
    write('node_modules/treeline-kafka/index.js', '');
    const own = write('own.js', '');
    const streams = [
      { name: 'k', type: 'treeline-kafka', brokers: ['b'], path: 'x' },
      { name: 'o', type: 'own', a: 1 },
    ];
    const { config } = load({ streams }, { transports: ['treeline-kafka', { type: 'own', module: own }] });
    expect(config.streams).toMatchObject([
      {
        moduleUrl: `file://${path.join(cwd, 'node_modules/treeline-kafka/index.js')}`,
        options: { brokers: ['b'], path: path.join(cwd, 'x') },
      },
      { moduleUrl: `file://${own}`, options: { a: 1 } },
    ]);
  });

  test('lets a listed pino transport be the target of a stream', () => {
    write('node_modules/pino-loki/package.json', { name: 'pino-loki', exports: './index.js' });
    write('node_modules/pino-loki/index.js', '');
    const streams = [{ name: 'l', type: 'pino', target: 'pino-loki', options: { host: 'h' } }];
    const { config } = load({ streams }, { transports: ['pino-loki'] });
    const url = `file://${path.join(cwd, 'node_modules/pino-loki/index.js')}`;
    expect(config.streams[0]).toMatchObject({
      moduleUrl: url,
      options: { target: url, options: { host: 'h' } },
    });
  });

  test('looks for packages beside the config before the working directory', () => {
    write('node_modules/p/package.json', { name: 'p', exports: './index.js' });
    write('node_modules/p/index.js', '');
    write('conf/node_modules/p/package.json', { name: 'p', exports: './index.js' });
    write('conf/node_modules/p/index.js', '');
    write('conf/c.json', { streams: [{ name: 'a', type: 'p' }] });
    const { config } = load('conf/c.json', { transports: ['p'] });
    expect(config.streams[0]?.moduleUrl).toBe(`file://${path.join(cwd, 'conf/node_modules/p/index.js')}`);
  });
});

describe('what a config says about records', () => {
  test('reaches the streams, complete', () => {
    const stream = {
      name: 's',
      type: 'console',
      sample: { rate: 0.5, keep: 'level>=error' },
      rateLimit: { records: 10 },
      dedupe: {},
      redact: { keys: ['password'] },
      fields: { a: 1 },
      fallback: 'other',
    };
    const { config } = load({
      streams: [stream, { name: 'other', type: 'console' }],
      redact: { detectors: ['jwt'], censor: '…' },
    });
    expect(config.redact).toEqual({ paths: [], keys: [], detectors: ['jwt'], censor: '…' });
    expect(config.streams[0]).toMatchObject({
      sample: { rate: 0.5, keep: 'level>=error' },
      rateLimit: { records: 10, perMs: 1_000, by: [] },
      dedupe: { windowMs: 10_000, by: ['level', 'msg'], summary: true },
      redact: { paths: [], keys: ['password'], detectors: [], censor: '[redacted]' },
      fields: { a: 1 },
      fallback: 'other',
    });
  });

  test('reaches the features that are switched on', () => {
    const { config } = load({
      enhancedFeatures: {
        requestTracking: { maxActiveRequests: 10, maxContextAge: '5m' },
        streamTracking: { enabled: false, enableMetrics: true },
      },
    });
    expect(config.features).toEqual({ requestTracking: { maxActiveRequests: 10, maxContextAgeMs: 300_000 } });
  });
});

describe('discovery', () => {
  test('reads what LOG_CONFIG_FILE names', () => {
    write('a/x.json', { level: 'warn' });
    expect(load(undefined, { env: { LOG_CONFIG_FILE: 'a/x.json' } }).config.level).toBe('warn');
  });

  test.each([
    'logging.config.jsonc',
    'logging.config.json',
    'config/logging.jsonc',
    'config/logging.json',
    '.config/logging.jsonc',
    '.config/logging.json',
  ])('finds %s in the nearest package at or above', (name) => {
    write('app/package.json', '{}');
    write('package.json', '{}');
    write(`app/${name}`, { level: 'warn' });
    const { config } = load(undefined, { discoverFrom: path.join(cwd, 'app/dist/deep') });
    expect(config).toMatchObject({ level: 'warn', file: path.join(cwd, 'app', name) });
    expect(load(undefined, { discoverFrom: cwd }).config.level).toBe('info');
  });

  test('finds the key "logging" of a package.json, and shows mistakes in it', () => {
    write('package.json', '{\n  "name": "app",\n  "logging": { "level": "warn" }\n}');
    expect(load(undefined, { discoverFrom: cwd }).config.level).toBe('warn');
    write('package.json', '{\n  "name": "app",\n  "logging": { "level": "inof" }\n}');
    const { problems } = faultOf(() => load(undefined, { discoverFrom: cwd }));
    expect(problems).toMatchObject([{ file: 'package.json', line: 3, column: 25 }]);
    write('package.json', '{ "logging": true }');
    expect(load(undefined, { discoverFrom: cwd }).config.file).toBeUndefined();
  });

  test('two configs are a mistake that names both', () => {
    write('package.json', '{ "logging": {} }');
    write('logging.config.json', '{}');
    const fault = faultOf(() => load(undefined, { discoverFrom: cwd }));
    expect(fault).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 78 });
    expect(fault.message).toContain('there are two configs: logging.config.json and package.json');
  });

  test('a variable that names no file is an error that names the variable, exit 66', () => {
    const fault = faultOf(() => load(undefined, { env: { LOG_CONFIG_FILE: 'nope.json' } }));
    expect(fault).toMatchObject({ code: 'CONFIG_UNREADABLE', exitCode: 66 });
    expect(fault.message).toMatch(
      /^env LOG_CONFIG_FILE error CFG001 {2}the config nope\.json can't be read: there is no such file/,
    );
  });
});

describe('layers', () => {
  test('an extended config lies below: objects merge, lists replace, null deletes, streams change by name', () => {
    write('base.json', {
      level: 'debug',
      serviceName: 'base',
      fields: { a: 1, b: { c: 1 } },
      streams: [
        { name: 'one', type: 'console', level: 'info' },
        { name: 'two', type: 'console', stderr: true },
      ],
    });
    write('c.json', {
      extends: './base.json',
      serviceName: null,
      fields: { b: { d: 2 } },
      streams: { one: { level: 'error' }, two: null, three: { type: 'console' } },
    });
    const { config } = load('c.json');
    expect(config).toMatchObject({
      level: 'debug',
      serviceName: undefined,
      fields: { a: 1, b: { c: 1, d: 2 } },
    });
    expect(config.streams.map(({ name, level }) => [name, level])).toEqual([
      ['one', 50],
      ['three', undefined],
    ]);
  });

  test('a mistake in an extended config is shown in its file', () => {
    write('conf/base.json', '{\n  "level": "inof"\n}');
    write('conf/c.json', { extends: 'base.json' });
    expect(faultOf(() => load('conf/c.json')).problems).toMatchObject([
      { file: 'conf/base.json', line: 2, column: 12 },
    ]);
  });

  test('the overlay of LOG_ENV, else NODE_ENV, lies above', () => {
    write('c.json', {
      level: 'info',
      streams: [{ name: 'one', type: 'console' }],
      environments: {
        production: { level: 'warn', streams: { one: { stderr: true } } },
        test: { level: 'silent' },
      },
    });
    const level = (env: Record<string, string>): string => load('c.json', { env }).config.level;
    expect(level({})).toBe('info');
    expect(level({ NODE_ENV: 'production' })).toBe('warn');
    expect(level({ NODE_ENV: 'production', LOG_ENV: 'test' })).toBe('silent');
    expect(level({ NODE_ENV: 'staging' })).toBe('info');
    expect(load('c.json', { env: { NODE_ENV: 'production' } }).config.streams[0]?.options).toMatchObject({
      stderr: true,
    });
    expect(faultOf(() => load('c.json', { env: { LOG_ENV: 'prod' } })).problems[0]).toMatchObject({
      variable: 'LOG_ENV',
    });
  });

  test('variables lie above overlays, and overrides above all', () => {
    const source = { level: 'info', environments: { test: { level: 'debug' } } };
    const env = { NODE_ENV: 'test', LOG_LEVEL: 'warn' };
    expect(load(source, { env }).config.level).toBe('warn');
    expect(load(source, { env, overrides: { level: 'error' } }).config.level).toBe('error');
  });
});

describe('environment variables', () => {
  const streams = [
    { name: 'out', type: 'console' },
    { name: 'error-file', type: 'file', path: './logs/a.log' },
    { name: 'db', type: 'sqlite', path: 'a.db' },
  ];

  test('LOG_LEVEL sets the root level, or takes directives', () => {
    expect(load({}, { env: { LOG_LEVEL: 'debug' } }).config).toMatchObject({
      level: 'debug',
      directives: [],
    });
    const { config } = load({ levels: { db: 'warn' } }, { env: { LOG_LEVEL: 'info,db=debug,[job]=off' } });
    expect(config.directives).toEqual([
      { target: ['db'], fields: [], level: 20 },
      { target: [], span: 'job', fields: [], level: Infinity },
    ]);
    expect(load({}, { env: { LOG_LEVEL: 'off' } }).config.level).toBe('silent');
  });

  test('LOG_LEVEL_<STREAM> sets the level of one stream', () => {
    const { config } = load({ streams }, { env: { LOG_LEVEL_ERROR_FILE: 'fatal' } });
    expect(config.streams.map((stream) => stream.level)).toEqual([undefined, 60, undefined]);
  });

  test('LOG_DIRECTORY moves the streams', () => {
    const { config } = load({ streams }, { env: { LOG_DIRECTORY: '/var/tmp/x' } });
    expect(config.streams[1]?.options).toMatchObject({ path: '/var/tmp/x/a.log' });
    expect(config.streams[2]?.options).toMatchObject({ path: '/var/tmp/x/a.db' });
    expect(config.stateDirectory).toBe('/var/tmp/x/.treeline');
  });

  test('LOG_DIRECTORY moves the link to a current file with it', () => {
    const file = { name: 'f', type: 'file', path: './logs/a.log', symlink: 'logs/current.log' };
    const { config } = load({ streams: [file] }, { env: { LOG_DIRECTORY: '/var/tmp/x' } });
    expect(config.streams[0]?.options).toMatchObject({
      path: '/var/tmp/x/a.log',
      symlink: '/var/tmp/x/current.log',
    });
  });

  test('LOG_MAX_FILE_SIZE sets the rotation of files', () => {
    const { config } = load({ streams }, { env: { LOG_MAX_FILE_SIZE: '5M' } });
    expect(config.streams[1]?.options).toMatchObject({ rotation: { size: 5 * 1024 ** 2 } });
  });

  test('LOG_RETENTION_DAYS and LOG_MAX_FILES set the retention of files', () => {
    const { config } = load({ streams }, { env: { LOG_RETENTION_DAYS: '14', LOG_MAX_FILES: '5' } });
    expect(config.streams[1]?.options).toMatchObject({ retention: { maxAge: 14 * 86_400_000, maxFiles: 5 } });
  });

  test.each([
    ['ENABLE_REQUEST_TRACKING', 'requestTracking'],
    ['ENABLE_STREAM_TRACKING', 'streamTracking'],
    ['ENABLE_ERROR_ENHANCEMENT', 'errorLogging'],
    ['ENABLE_PERFORMANCE_METRICS', 'performanceMetrics'],
  ])('%s switches %s', (variable, feature) => {
    const asked = (value: string): string[] =>
      Object.keys(load({}, { env: { [variable]: value } }).config.features ?? {});
    expect(asked('yes')).toEqual([feature]);
    expect(asked('off')).toEqual([]);
    expect(asked('')).toEqual([]);
  });

  test.each([
    [{ LOG_LEVEL: 'inof' }, 'LOG_LEVEL', /unknown level "inof"/],
    [{ LOG_LEVEL: 'info,db=nope' }, 'LOG_LEVEL', /unknown level "nope" at column 9/],
    [{ LOG_LEVEL_OUT: 'loud' }, 'LOG_LEVEL_OUT', /unknown level "loud"/],
    [{ LOG_RETENTION_DAYS: '1.5' }, 'LOG_RETENTION_DAYS', /whole number of days/],
    [{ LOG_MAX_FILES: '-1' }, 'LOG_MAX_FILES', /whole number/],
    [{ LOG_MAX_FILE_SIZE: 'big' }, 'LOG_MAX_FILE_SIZE', /size such as 10M/],
    [{ ENABLE_REQUEST_TRACKING: 'maybe' }, 'ENABLE_REQUEST_TRACKING', /must be true, false/],
  ])('an illegal value in %j is an error that names the variable', (env, variable, message) => {
    const { problems } = faultOf(() => load({ streams }, { env }));
    expect(problems).toMatchObject([{ variable, code: 'CFG302', severity: 'error' }]);
    expect(problems[0]?.message).toMatch(message);
  });

  test.each([
    ['LOG_LEVLE', 'did you mean LOG_LEVEL?'],
    ['LOG_DIRECTROY', 'did you mean LOG_DIRECTORY?'],
    ['ENABLE_REQUEST_TRACKNG', 'did you mean ENABLE_REQUEST_TRACKING?'],
    ['LOG_LEVEL_OTU', 'did you mean LOG_LEVEL_OUT?'],
    ['LOG_LEVEL_ELSEWHERE', undefined],
  ])('the misspelt name %s is a warning', (variable, suggestion) => {
    const { warnings } = load({ streams }, { env: { [variable]: 'x' } });
    expect(warnings).toMatchObject([{ variable, code: 'CFG301', ...(suggestion && { suggestion }) }]);
  });

  test('variables of the program itself are none of ours', () => {
    expect(
      load({ streams }, { env: { LOG_FORMAT: 'x', ENABLE_DARK_MODE: '1', LOGNAME: 'me' } }).warnings,
    ).toEqual([]);
  });

  test('two streams that share a variable are an error where it is set', () => {
    const alike = [
      { name: 'a-b', type: 'console' },
      { name: 'a.b', type: 'console' },
    ];
    expect(load({ streams: alike }).warnings).toEqual([]);
    expect(
      faultOf(() => load({ streams: alike }, { env: { LOG_LEVEL_A_B: 'info' } })).problems[0]?.code,
    ).toBe('CFG404');
  });
});

describe('interpolation', () => {
  test.each([
    ['${NAME}', 'orders'],
    ['${env:NAME}', 'orders'],
    ['a-${NAME}-${NAME}', 'a-orders-orders'],
    ['${NOPE:-default}', 'default'],
    ['${EMPTY:-default}', 'default'],
    ['${EMPTY-default}', ''],
    ['${NOPE:-}', ''],
    ['${NOPE:-http://x:80/${a}', 'http://x:80/${a'],
    ['$${NAME}', '${NAME}'],
    ['$NAME costs $5', '$NAME costs $5'],
    ['${REC}', '${NAME}'],
  ])('%s becomes %j', (text, expected) => {
    const env = { NAME: 'orders', EMPTY: '', REC: '${NAME}' };
    expect(load({ serviceName: text }, { env }).config.serviceName).toBe(expected);
  });

  test('becomes the number or boolean that is wanted in its place', () => {
    const env = { ON: 'false', SIZE: '1024' };
    const { config } = load(
      {
        enabled: '${ON}',
        window: '${SIZE}',
        streams: [{ name: 'c', type: 'console', stderr: '${ERR:-true}' }],
      },
      { env },
    );
    expect(config).toMatchObject({ enabled: false, windowBytes: 1024 });
    expect(config.streams[0]?.options).toMatchObject({ stderr: true });
    expect(faultOf(() => load({ enabled: 'true' })).problems[0]?.suggestion).toBe(
      'write true without quotes',
    );
  });

  test('reads secrets from files, and never prints them', () => {
    const secret = write('secret', 'hunter2\n');
    expect(load({ serviceName: `\${file:${secret}}` }).config.serviceName).toBe('hunter2');
    expect(
      load({ serviceName: '${credential:secret}' }, { env: { CREDENTIALS_DIRECTORY: cwd } }).config
        .serviceName,
    ).toBe('hunter2');
    const fault = faultOf(() => load({ level: `\${file:${secret}}` }));
    expect(fault.message).not.toContain('hunter2');
  });
});

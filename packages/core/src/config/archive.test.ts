import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { explainConfig } from './explain.ts';
import { loadConfig } from './load.ts';
import { printConfig } from './print-config.ts';
import { ConfigError } from './problem.ts';

let cwd = '';
beforeAll(() => {
  cwd = fs.mkdtempSync(join(os.tmpdir(), 'treeline-config-archive-'));
});
afterAll(() => fs.rmSync(cwd, { recursive: true, force: true }));

const STORE = { name: 'store', type: 'sqlite', path: 'data/logs.db' };
const ARCHIVE = { olderThan: '30d', to: 'archive/' };

const load = (config: object): ReturnType<typeof loadConfig> => loadConfig(config, { cwd, env: {} });

function mistakes(config: object): { code: string; message: string; path: unknown }[] {
  try {
    load(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ code, message, path }) => ({ code, message, path }));
  }
  return [];
}

describe('archive in a config', () => {
  test('is completed with the store of the only sqlite stream, paths absolute', () => {
    const { config, warnings } = load({ streams: [STORE], archive: ARCHIVE });
    expect(warnings).toEqual([]);
    expect(config.archive).toEqual({
      threadUrl: expect.stringMatching(/^file:.*schedule-worker\.js$/),
      options: {
        enabled: true,
        olderThan: 30 * 86_400_000,
        to: join(cwd, 'archive'),
        gzipLevel: 6,
        maxRowsPerFile: 1_000_000,
        store: join(cwd, 'data/logs.db'),
        schedule: '0 3 * * *',
      },
    });
  });

  test('stands in the directory of the config', () => {
    const { config } = load({
      directory: 'var',
      streams: [],
      archive: { ...ARCHIVE, to: './logs/archive', store: 'logs/a.db' },
    });
    expect(config.archive?.options).toMatchObject({
      to: join(cwd, 'var/archive'),
      store: join(cwd, 'var/a.db'),
    });
  });

  test('is left out where it is switched off, by an overlay too', () => {
    const config = {
      streams: [STORE],
      archive: ARCHIVE,
      environments: { test: { archive: { enabled: false } } },
    };
    expect(loadConfig(config, { cwd, env: { LOG_ENV: 'test' } }).config.archive).toBeUndefined();
    expect(load(config).config.archive).toBeDefined();
  });

  test.each<[string, object, string, RegExp, string]>([
    [
      'no store',
      { streams: [{ name: 'c', type: 'console' }] },
      'CFG104',
      /"store" is missing in archive: the config has 0 sqlite/,
      'archive',
    ],
    [
      'two stores',
      { streams: [STORE, { ...STORE, name: 'other', path: 'b.db' }] },
      'CFG104',
      /the config has 2 sqlite streams/,
      'archive',
    ],
    [
      'an age without a unit',
      { archive: { ...ARCHIVE, olderThan: '30' } },
      'CFG102',
      /must have a unit, like "30d"/,
      'archive.olderThan',
    ],
    ['no age', { archive: { to: 'a' } }, 'CFG104', /olderThan/, 'archive.olderThan'],
    [
      'an unknown key',
      { archive: { ...ARCHIVE, olderthen: '1d' } },
      'CFG101',
      /unknown key "olderthen"/,
      'archive.olderthen',
    ],
    [
      'a schedule that is none',
      { archive: { ...ARCHIVE, schedule: 'daily at three' } },
      'CFG102',
      /must be a cron expression like "0 3 \* \* \*"/,
      'archive.schedule',
    ],
  ])('is refused with %s', (_, config, code, message, path) => {
    const found = mistakes({ streams: [STORE], archive: ARCHIVE, ...config });
    expect(found).toEqual([{ code, message: expect.stringMatching(message), path }]);
  });

  test('stands in the guide as it works', () => {
    const guide = fs.readFileSync(new URL('../../../../docs/guide/archive.md', import.meta.url), 'utf8');
    const text = /```json\n(\{\n[^]*?"archive"[^]*?)```/.exec(guide)?.[1] ?? '';
    expect(load(JSON.parse(text) as object)).toMatchObject({
      warnings: [],
      config: { archive: { options: { schedule: '0 3 * * *' } } },
    });
  });

  test('is printed with its defaults, and explained', () => {
    const config = { streams: [STORE], archive: ARCHIVE };
    expect(printConfig(config, { cwd, env: {} })).toContain('"schedule": "0 3 * * *"');
    expect(explainConfig('archive.schedule', config, { cwd, env: {} })).toContain('as a cron expression');
  });
});

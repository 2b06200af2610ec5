import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { readConfig } from './config.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-daemon-config-'));
afterEach(() => vi.unstubAllEnvs());
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
fs.mkdirSync(path.join(folder, 'data'));
fs.symlinkSync('data', path.join(folder, 'link'));

function read(senses: object, reflexes: object = {}): ReturnType<typeof readConfig> {
  const file = path.join(folder, 'daemon.json');
  const streams = [
    { name: 'store', type: 'sqlite', path: './data/logs.db' },
    { name: 'file', type: 'file', path: './app.log' },
    { name: 'dated', type: 'file', path: './logs/app-%DATE%.log', symlink: 'newest' },
    { name: 'split', type: 'file', path: './split.log', splitBy: 'tenant' },
  ];
  fs.writeFileSync(file, JSON.stringify({ logging: { streams }, store: 'data/logs.db', senses, reflexes }));
  return readConfig(file);
}

const module = 'sense.mjs';

describe('readConfig', () => {
  test('makes paths absolute, durations milliseconds', () => {
    const config = read(
      { inbox: { module, files: ['in.txt'], every: '2s' } },
      { r: { module, on: ['inbox'] } },
    );
    expect(config.senses.get('inbox')).toEqual({
      module: path.join(folder, module),
      files: [path.join(folder, 'in.txt')],
      everyMs: 2000,
    });
  });

  test.each([
    'data/logs.db',
    'data/logs.db-wal',
    'data',
    'link/logs.db',
    'link/logs.db-wal',
    'app.log',
    'app.log.1',
    'logs/app-2026-11-24.log',
    'logs/app-2026-11-24.log.1.gz',
    'newest',
    'split.a.log',
    'logs/.treeline/streams',
    'logs',
    '.',
  ])('refuses a sense over %s, which logging writes: a log would trigger reflexes through it', (file) => {
    expect(() => read({ s: { module, files: [file] } })).toThrow(
      /senses\.s\.files: .* is written by logging/,
    );
  });

  test('refuses a sense over the folder into which LOG_DIRECTORY moves the logs', () => {
    const files = ['moved/app.log'];
    expect(() => read({ s: { module, files } })).not.toThrow();
    vi.stubEnv('LOG_DIRECTORY', path.join(folder, 'moved'));
    expect(() => read({ s: { module, files } })).toThrow(/senses\.s\.files: .* is written by logging/);
  });

  test.each<[object, object, RegExp]>([
    [{}, { r: { module, on: ['logs'] } }, /reflexes\.r\.on: there is no sense "logs"/],
    [{ s: { module, every: '1ms' } }, {}, /senses\.s\.every: must be at least 10ms/],
    [{ s: { module, often: 1 } }, {}, /senses\.s\.often/],
  ])('refuses %j, %j', (senses, reflexes, message) => {
    expect(() => read(senses, reflexes)).toThrow(message);
  });
});

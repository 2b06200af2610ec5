import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readConfig } from './config.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-daemon-config-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
fs.mkdirSync(path.join(folder, 'data'));
fs.symlinkSync('data', path.join(folder, 'link'));

function read(senses: object, reflexes: object = {}): ReturnType<typeof readConfig> {
  const file = path.join(folder, 'daemon.json');
  const streams = [
    { type: 'sqlite', path: 'data/logs.db' },
    { type: 'file', path: 'app.log' },
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
    '.',
  ])('refuses a sense over %s, which logging writes: a log would trigger reflexes through it', (file) => {
    expect(() => read({ s: { module, files: [file] } })).toThrow(
      /senses\.s\.files: .* is written by logging/,
    );
  });

  test.each<[object, object, RegExp]>([
    [{}, { r: { module, on: ['logs'] } }, /reflexes\.r\.on: there is no sense "logs"/],
    [{ s: { module, every: '1ms' } }, {}, /senses\.s\.every: must be at least 10ms/],
    [{ s: { module, often: 1 } }, {}, /senses\.s\.often/],
  ])('refuses %j, %j', (senses, reflexes, message) => {
    expect(() => read(senses, reflexes)).toThrow(message);
  });
});

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseOptions } from '@treeline/contract';
import { describe, expect, test } from 'vitest';
import transport from './index.ts';

const parse = (options: object) => parseOptions(transport.definition, { path: 'logs/app.log', ...options });

test('the founding shape is accepted', async () => {
  expect(await parse({ path: './logs/error.log', rotation: { size: '10M', interval: '1d' } })).toMatchObject({
    path: './logs/error.log',
    rotation: { size: 10_485_760, interval: 86_400_000 },
    mode: 0o640,
    dirMode: 0o750,
  });
});

test('parsing what was parsed changes nothing', async () => {
  const once = await parse({
    rotation: {
      size: '1M',
      interval: '6h',
      schedule: '0 6 * * mon',
      onStart: true,
      timeZone: 'Europe/Berlin',
    },
    retention: { maxFiles: 3, maxAge: '30d', maxTotalSize: '1G', minFreeDisk: '5G' },
    compress: 'gzip',
    mode: '0600',
    bufferSize: '64K',
    flushInterval: '1s',
  });
  expect(await parse(once)).toEqual(once);
});

describe('a mistake names the option, the rule and the value', () => {
  test.each<[object, RegExp]>([
    [{ path: '' }, /^file: path: must not be empty/],
    [{ path: 'a\0b' }, /path: must not hold a null character/],
    [{ path: 'logs/%DATE%/app.log' }, /path: must have %DATE% and %INDEX% in the file's name/],
    [{ rotation: { size: '10 bananas' } }, /rotation\.size: size must be .*; got "10 bananas"/],
    [{ rotation: { size: 0 } }, /rotation\.size: must be at least 1 byte; got 0/],
    [{ rotation: { interval: '7h' } }, /rotation\.interval: must be whole days, or .*; got 25200000 ms/],
    [
      { rotation: { schedule: 'tomorrow' } },
      /rotation\.schedule: must be a cron expression: .*; got "tomorrow"/,
    ],
    [
      { rotation: { timeZone: 'Mars/Olympus' } },
      /rotation\.timeZone: must be an IANA time zone .*; got "Mars\/Olympus"/,
    ],
    [{ rotation: { timeZone: 'UTC', utc: true } }, /rotation: must have timeZone or utc, not both/],
    [{ retention: { maxFiles: -1 } }, /retention\.maxFiles: must be a whole number from 0; got -1/],
    [{ compress: 'rar' }, /compress: must be one of none, gzip, zstd, brotli/],
    [
      { compress: { method: 'gzip', level: 12 } },
      /compress: must have a level from 1 to 9 with gzip; got 12/,
    ],
    [{ mode: 640 }, /mode: must be permission bits in octal, like "0640"; got 640/],
    [{ fsync: 'sometimes' }, /fsync: must be one of never, interval, rotate, always; got "sometimes"/],
    [{ symlink: 'logs/app.log' }, /symlink: must not be the path itself/],
    [{ path: 'a-%DATE%.log', perProcess: true }, /perProcess: must not be set where path has %DATE%/],
    [{ rotate: {} }, /^file: rotate: is no option here$/],
    [{ rotation: 5 }, /rotation: must be an object; got 5/],
    [{ path: undefined }, /path: must be a text; got undefined/],
  ])('%j', async (options, message) => {
    await expect(parse(options)).rejects.toThrow(message);
  });
});

test('a program whose options have no schedule does not load the library for it', () => {
  const built = fileURLToPath(new URL('../dist/options.js', import.meta.url));
  const program = `
    const { options } = require(${JSON.stringify(built)});
    const loadedAfter = (rotation) => {
      options['~standard'].validate({ path: 'app.log', rotation });
      return Object.keys(require.cache).some((file) => file.includes('croner'));
    };
    console.log(loadedAfter({ interval: '1d' }), loadedAfter({ schedule: '0 6 * * *' }));`;
  expect(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' })).toBe('false true\n');
});

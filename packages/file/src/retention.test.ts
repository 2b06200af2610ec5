import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createCalendar } from './calendar.ts';
import { LogFolder, numbered, until } from './log-folder.test.fixture.ts';
import type { FileOptions } from './index.ts';
import { chooseExpired, type Retention, type RotatedFile } from './retention.ts';

const DAY_MS = 86_400_000;

/** Five days with a file of 100 bytes each, 2026-11-18 to 2026-11-22. */
const files: RotatedFile[] = Array.from({ length: 5 }, (_, index) => {
  const date = `2026-11-${18 + index}`;
  const file = `app.log.${date}`;
  return {
    file,
    date,
    index: 0,
    compressed: undefined,
    path: `/logs/${file}`,
    bytes: 100,
    inode: 0n,
    modifiedMs: 0,
  };
});

describe('what has to go', () => {
  test.each<[string, Retention, number]>([
    ['nothing without limits', {}, 0],
    ['the oldest over a count', { maxFiles: 2 }, 3],
    ['all with a count of 0', { maxFiles: 0 }, 5],
    ['what ended longer ago than the age', { maxAge: 2 * DAY_MS }, 2],
    ['the oldest over a total size, the current file counted', { maxTotalSize: 350 }, 2],
    ['the oldest until the disk has room', { minFreeDisk: 1_150 }, 2],
    ['whatever one of several limits says', { maxFiles: 4, maxTotalSize: 250 }, 3],
  ])('%s', (_, retention, count) => {
    const expired = chooseExpired(files, retention, {
      nowMs: Date.parse('2026-11-23T00:00:00Z'),
      calendar: createCalendar({ timeZone: 'UTC' }),
      currentBytes: 50,
      freeBytes: 1_000,
    });
    expect(expired).toEqual(files.slice(0, count));
  });
});

test('age counts from the last write where that is later than the date', () => {
  const written = files.map((file) => ({ ...file, modifiedMs: Date.parse('2026-11-22T12:00:00Z') }));
  const state = { calendar: createCalendar({ timeZone: 'UTC' }), currentBytes: 0, freeBytes: 0 };
  const nowMs = Date.parse('2026-11-23T12:00:00Z');
  expect(chooseExpired(written, { maxAge: DAY_MS }, { ...state, nowMs })).toEqual([]);
  expect(chooseExpired(written, { maxAge: DAY_MS }, { ...state, nowMs: nowMs + 1 })).toHaveLength(4);
});

describe('in a folder', () => {
  const strangers = [
    'app.log.1',
    'app.log.2026-11-01.bak',
    'other.log.2026-11-01.1',
    'app.log.2026-11-01.1.gz.part',
    'my-app.log.2026-11-01',
  ];

  async function start(folder: LogFolder, options: Partial<FileOptions>): Promise<void> {
    const sink = await folder.open(options);
    await sink.write(numbered(0, 1));
    await sink.close();
  }

  test('it holds after every change of options, whoever made the files, and touches nothing else', async () => {
    await using folder = new LogFolder();
    for (const name of strangers) fs.writeFileSync(folder.at(name), '');
    fs.mkdirSync(folder.at('app.log.2026-11-02'));
    const made = [
      'app.log.2026-11-01',
      'app.log.2026-11-03.gz',
      'app.log.2026-11-04.2.zst',
      'app.log.2026-11-05T10.1',
      'app.log.2026-11-06T10-30',
    ];
    for (const name of made) {
      fs.writeFileSync(folder.at(name), '');
      const written = Date.parse(name.slice('app.log.'.length, 'app.log.2026-11-01'.length)) / 1000;
      fs.utimesSync(folder.at(name), written, written);
    }
    const left = (): string[] => folder.names.filter((name) => made.includes(name));

    await start(folder, { retention: { maxFiles: 4 } });
    expect(left()).toEqual(made.slice(1));
    await start(folder, { rotation: { interval: '1h' }, compress: 'brotli', retention: { maxAge: '17d' } });
    expect(left()).toEqual([]);
    expect(folder.names).toEqual(
      [
        ...strangers,
        'app.log',
        'app.log.2026-11-02',
        'app.log.2026-11-05T10.1.br',
        'app.log.2026-11-06T10-30.br',
      ].toSorted(),
    );
    await start(folder, { mode: '0600', retention: { maxTotalSize: 1 } });
    expect(folder.names).toEqual([...strangers, 'app.log', 'app.log.2026-11-02'].toSorted());
  });

  test.each<Partial<FileOptions>>([
    { rotation: { size: '1K' } },
    { rotation: { interval: '1h' } },
    { rotation: { schedule: '0 6 * * mon' } },
    { rotation: { onStart: true } },
    { rotation: { interval: '1d', timeZone: 'Asia/Kathmandu' } },
    { rotation: { interval: '1d', utc: true } },
    { compress: 'gzip' },
    { compress: { method: 'brotli', level: 0 } },
    { mode: '0600' },
    { dirMode: '0700' },
    { bufferSize: '1K' },
    { flushInterval: '1s' },
    { fsync: 'always' },
    { header: '# begin' },
    { footer: '# end' },
    { maxOpenFiles: 1 },
    { format: 'json' },
  ])('it holds for the files of an earlier run after a change to %j', async (changed) => {
    await using folder = new LogFolder();
    const made = [
      'app.log.2026-11-03.gz',
      'app.log.2026-11-04.2.br',
      'app.log.2026-11-05T10.1.zst',
      'app.log.2026-11-06',
    ];
    for (const name of made) fs.writeFileSync(folder.at(name), '');
    await start(folder, { ...changed, retention: { maxFiles: 2 } });
    const left = folder.names.filter((name) => name !== 'app.log');
    expect(left.map((name) => name.replace(/(2026-11-06)\.(?:gz|br)$/, '$1'))).toEqual(made.slice(2));
  });

  test('it runs after each rotation', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open({ rotation: { size: 200 }, retention: { maxFiles: 2 } });
    await sink.write(numbered(0, 12));
    await until(() => folder.names.length === 3, 'two rotated files');
    expect(folder.names).toEqual(['app.log', 'app.log.2026-11-22.4', 'app.log.2026-11-22.5']);
  });

  test('the current file stays, also where it has its date', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open({
      path: folder.at('app-%DATE%.log'),
      rotation: { size: 200 },
      retention: { maxFiles: 0 },
    });
    await sink.write(numbered(0, 5));
    await until(() => folder.names.length === 1, 'one file');
    await sink.write(numbered(5, 6));
    expect(folder.read('app-2026-11-22.log.2')).toEqual([4, 5]);
  });
});

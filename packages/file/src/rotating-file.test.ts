import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LogFolder, numbered, until } from './log-folder.test.fixture.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('rotation by size', () => {
  test('no file passes its limit, no record is split, and the order is kept', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open({ rotation: { size: 1000 } });
    for (let index = 0; index < 100; index += 25) await sink.write(numbered(index, index + 25));
    const rotated = folder.names
      .filter((name) => name !== 'app.log')
      .toSorted((a, b) => Number(a.split('.').at(-1)) - Number(b.split('.').at(-1)));
    expect(rotated[0]).toBe('app.log.2026-11-22.1');
    for (const name of rotated) expect(fs.statSync(folder.at(name)).size).toBeLessThanOrEqual(1000);
    expect([...rotated, 'app.log'].flatMap((name) => folder.read(name))).toEqual(upTo(100));
  });

  test('a record over the limit gets a file of its own', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open({ rotation: { size: 100 } });
    await sink.write(numbered(0, 1));
    await sink.write(numbered(1, 2, { text: 'x'.repeat(500) }));
    await sink.write(numbered(2, 3));
    expect(folder.names).toEqual(['app.log', 'app.log.2026-11-22.1', 'app.log.2026-11-22.2']);
    expect(folder.read('app.log.2026-11-22.2')).toEqual([1]);
  });

  test('a file that was full before the start is rotated at the start', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log'), numbered(0, 2).bytes);
    await folder.open({ rotation: { size: 100 } });
    expect(folder.read('app.log.2026-11-22.1')).toEqual([0, 1]);
    expect(folder.read('app.log')).toEqual([]);
  });

  test('indexes go on behind those of an earlier run, compressed files included', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log.2026-11-22.7.gz'), '');
    const sink = await folder.open({ rotation: { size: 100 } });
    await sink.write(numbered(0, 2));
    expect(folder.names).toContain('app.log.2026-11-22.8');
  });
});

describe('rotation by time', () => {
  test('each file covers one period and is named by its start', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open({ rotation: { interval: '1d' } });
    await sink.write(numbered(0, 1));
    folder.now = Date.parse('2026-11-23T00:00:00') - 1;
    await sink.write(numbered(1, 2));
    folder.now++;
    await sink.write(numbered(2, 3));
    expect(folder.read('app.log.2026-11-22')).toEqual([0, 1]);
    expect(folder.read('app.log')).toEqual([2]);
  });

  test('an idle file is rotated too', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open({ rotation: { interval: '1d' } });
    await sink.write(numbered(0, 1));
    folder.time = '2026-11-23T00:00:00';
    const isEmpty = (name: string): boolean =>
      fs.statSync(folder.at(name), { throwIfNoEntry: false })?.size === 0;
    await until(() => isEmpty('app.log'), 'the rotation');
    expect(folder.read('app.log.2026-11-22')).toEqual([0]);
  });

  test('a period without records leaves no empty file behind', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open({ rotation: { interval: '1h' } });
    await sink.write(numbered(0, 1));
    folder.time = '2026-11-22T13:30:00';
    await sink.write(numbered(1, 2));
    folder.time = '2026-11-22T17:00:00';
    await sink.write(numbered(2, 3));
    expect(folder.names).toEqual(['app.log', 'app.log.2026-11-22T10', 'app.log.2026-11-22T13']);
  });

  test('a file that an earlier run has left is rotated at the start, under the day of its last write', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log'), numbered(0, 1).bytes);
    const written = Date.parse('2026-11-20T23:59:59') / 1000;
    fs.utimesSync(folder.at('app.log'), written, written);
    await folder.open({ rotation: { interval: '1d', size: '10M' } });
    expect(folder.names).toEqual(['app.log', 'app.log.2026-11-20.1']);
  });

  test('size, interval and schedule work together', async () => {
    await using folder = new LogFolder();
    folder.time = '2026-11-22T10:00:00Z';
    const sink = await folder.open({
      rotation: { size: 200, interval: '1d', schedule: '0 12 * * *', utc: true },
    });
    await sink.write(numbered(0, 4));
    folder.time = '2026-11-22T12:00:00Z';
    await sink.write(numbered(4, 5));
    folder.time = '2026-11-23T00:00:00Z';
    await sink.write(numbered(5, 6));
    expect(folder.names).toEqual([
      'app.log',
      'app.log.2026-11-22T00-00.1',
      'app.log.2026-11-22T00-00.2',
      'app.log.2026-11-22T12-00.1',
    ]);
  });
});

describe('over a change of daylight saving a daily file has its day', () => {
  test.each([
    ['Europe/Berlin', '2026-03-29', '2026-03-28T23:00Z', '2026-03-29T22:00Z'],
    ['Europe/Berlin', '2026-10-25', '2026-10-24T22:00Z', '2026-10-25T23:00Z'],
    ['America/New_York', '2026-03-08', '2026-03-08T05:00Z', '2026-03-09T04:00Z'],
    ['America/New_York', '2026-11-01', '2026-11-01T04:00Z', '2026-11-02T05:00Z'],
    ['Australia/Lord_Howe', '2026-04-05', '2026-04-04T13:00Z', '2026-04-05T13:30Z'],
    ['Australia/Lord_Howe', '2026-10-04', '2026-10-03T13:30Z', '2026-10-04T13:00Z'],
  ])('%s %s', async (timeZone, date, first, next) => {
    await using folder = new LogFolder();
    const [startMs, endMs, stepMs] = [Date.parse(first), Date.parse(next), 30 * 60_000];
    folder.now = startMs - stepMs;
    const sink = await folder.open({ rotation: { interval: '1d', timeZone } });
    const steps = (endMs - startMs) / stepMs;
    for (let n = -1; n <= steps; n++) {
      folder.now = startMs + n * stepMs;
      await sink.write(numbered(n + 1, n + 2));
    }
    expect(folder.read(`app.log.${date}`)).toEqual(upTo(steps).map((n) => n + 1));
    expect(folder.read('app.log')).toEqual([steps + 1]);
  });
});

test('with onStart, a start begins a new file where there is something in the old one', async () => {
  await using folder = new LogFolder();
  const rotation = { onStart: true };
  await (await folder.open({ rotation })).close();
  const sink = await folder.open({ rotation });
  await sink.write(numbered(0, 1));
  await sink.close();
  await folder.open({ rotation });
  expect(folder.names).toEqual(['app.log', 'app.log.2026-11-22.1']);
});

describe('a path with tokens', () => {
  test('the current file has its date, nothing is renamed', async () => {
    await using folder = new LogFolder();
    const rotation = { interval: '1d', size: 200 };
    const sink = await folder.open({ path: folder.at('app-%DATE%.%INDEX%.log'), rotation });
    await sink.write(numbered(0, 3));
    folder.time = '2026-11-23T00:00:00';
    await sink.write(numbered(3, 4));
    expect(folder.names).toEqual(['app-2026-11-22.1.log', 'app-2026-11-22.2.log', 'app-2026-11-23.1.log']);
    expect(folder.names.flatMap((name) => folder.read(name))).toEqual([0, 1, 2, 3]);
  });

  test('a new start goes on with the last file of the day', async () => {
    await using folder = new LogFolder();
    for (let index = 0; index < 3; index++) {
      const sink = await folder.open({
        path: folder.at('app-%DATE%.log'),
        rotation: { interval: '1d', size: 200 },
      });
      await sink.write(numbered(index, index + 1));
      await sink.close();
    }
    expect(folder.names).toEqual(['app-2026-11-22.log', 'app-2026-11-22.log.1']);
  });

  test('a symbolic link leads to the current file', async () => {
    await using folder = new LogFolder();
    const symlink = folder.at('current.log');
    const sink = await folder.open({
      path: folder.at('app-%DATE%.log'),
      rotation: { interval: '1d' },
      symlink,
    });
    await sink.write(numbered(0, 1));
    expect(fs.readlinkSync(symlink)).toBe('app-2026-11-22.log');
    folder.time = '2026-11-23T00:00:00';
    await sink.write(numbered(1, 2));
    expect(folder.read('current.log')).toEqual([1]);
  });

  test('a file in the place of the link is left alone, with a warning', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('current.log'), 'precious');
    await folder.open({ symlink: folder.at('current.log') });
    expect(fs.readFileSync(folder.at('current.log'), 'utf8')).toBe('precious');
    expect(folder.events).toMatchObject([{ type: 'warning', reason: /no symbolic link/ }]);
  });
});

test('a header begins each file, a footer ends each rotated one', async () => {
  await using folder = new LogFolder();
  const sink = await folder.open({ rotation: { size: 220 }, header: '# app', footer: '# end' });
  await sink.write(numbered(0, 3));
  expect(folder.read('app.log.2026-11-22.1')).toEqual(['# app', 0, 1, '# end']);
  expect(folder.read('app.log')).toEqual(['# app', 2]);
});

test('a file with nothing but its header is not rotated, and what comes later counts to its own period', async () => {
  await using folder = new LogFolder();
  const options = { rotation: { interval: '1h', onStart: true }, header: '# app', footer: '# end' };
  await (await folder.open(options)).close();
  folder.time = '2026-11-22T13:30:00';
  const sink = await folder.open(options);
  folder.time = '2026-11-22T15:30:00';
  await sink.write(numbered(0, 1));
  folder.time = '2026-11-22T16:00:00';
  await sink.write(numbered(1, 2));
  expect(folder.names).toEqual(['app.log', 'app.log.2026-11-22T15.1']);
  expect(folder.read('app.log.2026-11-22T15.1')).toEqual(['# app', 0, '# end']);
});

describe('from outside', () => {
  test('a moved file is noticed without a write', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open();
    await sink.write(numbered(0, 1));
    fs.renameSync(folder.at('app.log'), folder.at('moved'));
    await until(() => folder.names.includes('app.log'), 'the new file');
    await sink.write(numbered(1, 2));
    expect([folder.read('moved'), folder.read('app.log')]).toEqual([[0], [1]]);
  });

  test('reopening goes on with the path at once', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open();
    await sink.write(numbered(0, 1));
    fs.renameSync(folder.at('app.log'), folder.at('moved'));
    await sink.reopen?.();
    await sink.write(numbered(1, 2));
    expect([folder.read('moved'), folder.read('app.log')]).toEqual([[0], [1]]);
  });
});

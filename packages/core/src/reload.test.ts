import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openLogStore } from '@treeline/sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from './create-logger.ts';
import type { TreelineLogger } from './logger.ts';
import type { StreamStats } from './stats.ts';

const RUNS = 8;

const SWITCHABLE = {
  type: 'switchable',
  module: new URL('../fixtures/switchable-transport.mjs', import.meta.url),
};

let folder = '';

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-reload-'));
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

/** An object that a test changes is read again as a file would be. */
function loggerOf(config: Record<string, unknown>): TreelineLogger {
  return createLogger({ stateDirectory: path.join(folder, 'state'), ...config });
}

function writeConfig(config: object): string {
  const file = path.join(folder, 'logging.json');
  const state = { stateDirectory: path.join(folder, 'state'), reload: { watch: false } };
  fs.writeFileSync(file, JSON.stringify({ ...state, ...config }));
  return file;
}

function numbersOf(file: string): number[] {
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { n: number }).n);
}

function numbersInFolder(prefix: string): number[] {
  return fs
    .readdirSync(folder)
    .filter((name) => name.startsWith(prefix))
    .flatMap((name) =>
      name.endsWith('.db')
        ? [...openLogStore(path.join(folder, name)).queryLogs({ limit: 1_000_000 })].map(({ record }) =>
            Number(record['n']),
          )
        : /\.db-/.test(name)
          ? []
          : numbersOf(path.join(folder, name)),
    )
    .toSorted((a, b) => a - b);
}

function balanceOf({ accepted, adopted, delivered, dropped, deadLettered, queued }: StreamStats): number {
  const drops = Object.values(dropped).reduce((sum, n) => sum + n, 0);
  return accepted + adopted - delivered - drops - deadLettered - queued;
}

describe('random reloads under load', () => {
  const stream = fc.record({
    type: fc.constantFrom('file', 'file', 'sqlite'),
    place: fc.integer({ min: 0, max: 2 }),
    variant: fc.integer({ min: 0, max: 2 }),
    level: fc.constantFrom(undefined, 'trace'),
  });
  const step = fc.record({
    always: stream,
    others: fc.uniqueArray(
      fc.record({ name: fc.constantFrom('x', 'y', 'z'), level: fc.constantFrom('info', 'warn') }),
      {
        selector: ({ name }) => name,
      },
    ),
    before: fc.integer({ min: 0, max: 400 }),
    during: fc.integer({ min: 0, max: 400 }),
  });

  const configOf = ({
    always,
    others,
  }: {
    always: { type: string; place: number; variant: number; level?: string | undefined };
    others: readonly { name: string; level: string }[];
  }): object => ({
    streams: [
      {
        name: 'always',
        type: always.type,
        path: path.join(folder, `always-${always.place}.${always.type === 'file' ? 'log' : 'db'}`),
        ...(always.level && { level: always.level }),
        ...(always.type === 'file'
          ? { mode: `0${640 + always.variant}` }
          : { bufferSize: 10 + always.variant }),
      },
      ...others.map(({ name, level }) => ({
        name,
        type: 'file',
        level,
        path: path.join(folder, `other-${name}.log`),
      })),
    ],
  });

  test('a stream that is in every config delivers each record once, wherever it writes, and every receipt is balanced', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 5 }), async (steps) => {
        for (const name of fs.readdirSync(folder))
          fs.rmSync(path.join(folder, name), { recursive: true, maxRetries: 10 });
        const [first, ...rest] = steps;
        if (!first) return;
        const logger = createLogger(writeConfig(configOf(first)));
        let n = 0;
        const log = (count: number): void => {
          for (let index = 0; index < count; index++) logger.info({ n: n++ });
        };
        log(1);
        const unbalanced: StreamStats[] = [];
        for (const next of rest) {
          log(next.before);
          writeConfig(configOf(next));
          const reloaded = logger.reload();
          for (let part = 0; part < 4; part++) {
            log(next.during / 4);
            await new Promise((resolve) => setImmediate(resolve));
          }
          const { retired } = await reloaded;
          const { streams } = await logger.stats();
          unbalanced.push(
            ...[...Object.values(retired), ...Object.values(streams)].filter(
              (stats) => balanceOf(stats) !== 0,
            ),
          );
          expect(Object.values(retired).filter(({ queued }) => queued > 0)).toEqual([]);
        }
        const { ok } = await logger.close();
        const { streams } = await logger.stats();
        expect(ok).toBe(true);
        expect(unbalanced).toEqual([]);
        expect(streams['always']).toMatchObject({ accepted: n, delivered: n, dropped: {} });
        expect(numbersInFolder('always-')).toEqual(Array.from({ length: n }, (_, index) => index));
        for (const name of ['x', 'y', 'z']) {
          const got = numbersInFolder(`other-${name}`);
          expect(new Set(got).size).toBe(got.length);
        }
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  }, 120_000);
});

describe('reload', () => {
  const out = (): string => path.join(folder, 'out.log');

  test.each(['worker', 'in-process'])(
    'changes levels and filters in place, from the next record on (%s)',
    async (mode) => {
      const stream = { name: 'out', type: 'file', path: out() };
      const logger = createLogger(writeConfig({ mode, streams: [stream] }));
      logger.debug({ n: 1 });
      logger.info({ n: 2 });
      await logger.flush();
      writeConfig({ mode, level: 'debug', streams: [{ ...stream, filter: 'n!=4' }] });
      const { plan } = await logger.reload();
      expect(plan).toEqual({
        streams: [{ name: 'out', action: 'live', changed: ['filter'] }],
        live: ['level'],
        restart: [],
      });
      for (const n of [3, 4, 5]) logger.debug({ n });
      await logger.close();
      expect(numbersOf(out())).toEqual([2, 3, 5]);
    },
  );

  test('an unchanged config changes nothing', async () => {
    const logger = createLogger(writeConfig({ streams: [{ name: 'out', type: 'file', path: out() }] }));
    logger.info({ n: 1 });
    expect(await logger.reload()).toMatchObject({ changed: false, retired: {} });
    expect((await logger.stats()).config.reloads).toBe(0);
    await logger.close();
  });

  test('before the first record nothing has been opened, and the new config holds all the same', async () => {
    const logger = createLogger(writeConfig({ streams: [{ name: 'out', type: 'file', path: out() }] }));
    writeConfig({ streams: [{ name: 'other', type: 'file', path: path.join(folder, 'other.log') }] });
    await logger.reload();
    logger.info({ n: 1 });
    await logger.close();
    expect(fs.existsSync(out())).toBe(false);
    expect(numbersOf(path.join(folder, 'other.log'))).toEqual([1]);
  });

  test.each<[what: string, refusing: object[]]>([
    ['new', [{ name: 'new', type: 'switchable', path: 'x', refuse: true }]],
    [
      'opened anew with other options',
      [{ name: 'kept', type: 'switchable', path: 'kept.log', refuse: true }],
    ],
  ])('a destination that is %s and can not be opened leaves the old config whole', async (_, refusing) => {
    const place = (stream: { path?: string }): object => ({
      ...stream,
      ...(stream.path && { path: path.join(folder, stream.path) }),
    });
    const kept = { name: 'kept', type: 'switchable', path: path.join(folder, 'kept.log') };
    const stream = { name: 'out', type: 'file', path: out() };
    const logger = createLogger(writeConfig({ streams: [stream, kept] }), { transports: [SWITCHABLE] });
    logger.info({ n: 1 });
    await logger.flush();
    writeConfig({ level: 'silent', streams: [{ ...stream, mode: '0600' }, ...refusing.map(place)] });
    await expect(logger.reload()).rejects.toThrow('it refuses to open');
    logger.info({ n: 2 });
    const { streams, config } = await logger.stats();
    expect(Object.keys(streams)).toEqual(['out', 'kept']);
    expect(config.lastReload).toMatchObject({ ok: false });
    expect((await logger.close()).ok).toBe(true);
    expect(numbersOf(out())).toEqual([1, 2]);
    expect(numbersOf(path.join(folder, 'kept.log'))).toEqual([1, 2]);
    expect(fs.statSync(out()).mode & 0o777).toBe(0o640);
  });

  test('a destination that is being opened gets the new options', async () => {
    const marked = path.join(folder, 'marked.log');
    const stream = { name: 'slow', type: 'switchable', path: out(), openMs: 500 };
    const logger = createLogger(writeConfig({ streams: [stream] }), { transports: [SWITCHABLE] });
    logger.info({ n: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    writeConfig({ streams: [{ ...stream, marked }] });
    const { plan } = await logger.reload();
    expect(plan.streams).toMatchObject([{ action: 'handover' }]);
    logger.info({ n: 2 });
    await logger.close();
    expect(numbersOf(out())).toEqual([1, 2]);
    expect(numbersOf(marked)).toEqual([1, 2]);
  });

  test('keys that need a new process are told and not applied', async () => {
    const streams = [{ name: 'out', type: 'file', path: out() }];
    const logger = createLogger(writeConfig({ streams }));
    logger.info({ n: 1 });
    writeConfig({ streams, serviceName: 'new', fields: { a: 1 }, window: '32M' });
    expect((await logger.reload()).plan.restart).toEqual(['serviceName', 'fields', 'windowBytes']);
    logger.info({ n: 2 });
    await logger.close();
    expect(fs.readFileSync(out(), 'utf8')).not.toContain('new');
    expect(numbersOf(out())).toEqual([1, 2]);
  });

  test.each(['before', 'after'])('called just %s close, it settles', async (when) => {
    const logger = createLogger(writeConfig({ streams: [{ name: 'out', type: 'file', path: out() }] }));
    logger.info({ n: 1 });
    await logger.flush();
    writeConfig({ streams: [{ name: 'out', type: 'file', path: path.join(folder, 'other.log') }] });
    if (when === 'after') {
      await logger.close();
      await expect(logger.reload()).rejects.toMatchObject({ code: 'CLOSED' });
      return;
    }
    const outcome = logger.reload().then(
      () => 'reloaded',
      (error: { code?: string }) => error.code,
    );
    await logger.close();
    expect(['reloaded', 'CLOSED']).toContain(await outcome);
  });

  test('keeps the sampling that a process began with, and says so', async () => {
    const streams = [{ name: 'out', type: 'file', path: out() }];
    const logger = createLogger(writeConfig({ streams }));
    writeConfig({ streams, sampling: { ratio: 0.5 } });
    expect((await logger.reload()).plan).toMatchObject({ live: [], restart: ['sampling'] });
    await logger.close();
  });

  test('a mistake in a file that the config has come to extend is mended there', async () => {
    const base = path.join(folder, 'base.json');
    const config = { reload: { watch: true }, streams: [{ name: 'out', type: 'file', path: out() }] };
    const logger = createLogger(writeConfig(config));
    logger.info({ n: 1 });
    await logger.flush();
    // Until it is watched, a change is found by no event.
    await new Promise((resolve) => setImmediate(resolve));
    writeConfig({ ...config, extends: './base.json' });
    // The first failure is looked at once more, whatever changes.
    const failedAt = new Set<number>();
    const failures = async (): Promise<number> => {
      const { lastReload } = (await logger.stats()).config;
      if (lastReload?.ok === false) failedAt.add(lastReload.time);
      return failedAt.size;
    };
    await expect.poll(failures, { timeout: 60_000 }).toBeGreaterThanOrEqual(2);
    fs.writeFileSync(base, '{ "level": "debug" }');
    await expect.poll(() => logger.level, { timeout: 60_000 }).toBe('debug');
    await logger.close();
  }, 120_000);

  test('a program that gave an object may ask for a reload too', async () => {
    const logger = loggerOf({ streams: [{ name: 'out', type: 'file', path: out() }] });
    logger.info({ n: 1 });
    expect((await logger.reload()).changed).toBe(false);
    await logger.close();
  });
});

describe('fallback', () => {
  const fileOf = (name: string): string => path.join(folder, `${name}.log`);

  test('takes the lines while the destination is down, but for its own, and gives them back when it is up again', async () => {
    const down = path.join(folder, 'down');
    const streams = [
      {
        name: 'main',
        type: 'switchable',
        path: fileOf('main'),
        down,
        fallback: 'spare',
        sample: { rate: 0, keep: 'n>0' },
        fields: { of: 'main' },
      },
      { name: 'spare', type: 'file', path: fileOf('spare'), level: 'error' },
    ];
    const logger = createLogger(writeConfig({ streams }), { transports: [SWITCHABLE] });
    logger.info({ n: 1 });
    await logger.flush();
    fs.writeFileSync(down, '');
    logger.info({ n: 0 });
    logger.info({ n: 2 });
    logger.error({ n: 3 });
    await logger.flush();
    expect((await logger.stats()).streams['main']).toMatchObject({ state: 'down', lastError: 'it is down' });
    fs.rmSync(down);
    // Lines go to the main stream again as soon as it has been tried.
    let n = 3;
    await expect
      .poll(
        async () => {
          logger.info({ n: ++n });
          await logger.flush();
          return (await logger.stats()).streams['main']?.state;
        },
        { timeout: 60_000 },
      )
      .toBe('up');
    await logger.close();
    const { main, spare } = (await logger.stats()).streams;
    const toMain = numbersOf(fileOf('main'));
    const toSpare = numbersOf(fileOf('spare'));
    expect(toMain.at(0)).toBe(1);
    expect(toMain.at(-1)).toBe(n);
    expect([...toMain, ...toSpare].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: n }, (_, index) => index + 1),
    );
    expect(toSpare).toEqual(expect.arrayContaining([2, 3]));
    expect(fs.readFileSync(fileOf('spare'), 'utf8')).not.toContain('"of"');
    // The error was the spare stream's own already.
    expect(main).toMatchObject({
      accepted: n + 1,
      delivered: toMain.length,
      dropped: { sample: 1, fallback: toSpare.length },
    });
    expect(spare).toMatchObject({ accepted: toSpare.length, delivered: toSpare.length, dropped: {} });
  }, 90_000);

  test('a destination that can not be opened at the start falls back too', async () => {
    const streams = [
      { name: 'main', type: 'switchable', path: fileOf('main'), refuse: true, fallback: 'spare' },
      { name: 'spare', type: 'file', path: fileOf('spare'), level: 'silent' },
    ];
    const logger = createLogger(writeConfig({ streams }), { transports: [SWITCHABLE] });
    logger.info({ n: 1 });
    await expect
      .poll(async () => (await logger.stats()).streams['spare']?.delivered, { timeout: 60_000 })
      .toBe(1);
    await logger.close({ timeoutMs: 1_000 });
    expect(numbersOf(fileOf('spare'))).toEqual([1]);
  }, 90_000);
});

describe('setLevel', () => {
  test('holds for its time, then gives back what the config says by then', async () => {
    const config = (level: string): object => ({
      level,
      streams: [{ name: 'out', type: 'file', path: path.join(folder, 'out.log') }],
    });
    const logger = createLogger(writeConfig(config('info')));
    logger.setLevel('trace', { for: 1_000 });
    expect(logger.level).toBe('trace');
    expect((await logger.stats()).config.levelOverride).toMatchObject({ level: 'trace' });
    writeConfig(config('warn'));
    await logger.reload();
    expect(logger.level).toBe('trace');
    await expect.poll(() => logger.level, { timeout: 30_000 }).toBe('warn');
    expect((await logger.stats()).config).not.toHaveProperty('levelOverride');
    await logger.close();
  });

  test.each([
    ['debgu', {}, 'level must be one of'],
    ['debug', { for: '10 parsecs' }, 'for must be a time'],
    ['debug', { for: 0 }, 'for must be a time'],
  ])('%s for %j is refused', async (level, options, message) => {
    const logger = loggerOf({ streams: [{ name: 'out', type: 'file', path: path.join(folder, 'out.log') }] });
    expect(() => logger.setLevel(level as 'debug', options)).toThrow(message);
    expect(logger.level).toBe('info');
    await logger.close();
  });
});

describe('what is logged around a reload', () => {
  const fileOf = (name: string): string => path.join(folder, `${name}.log`);
  const stream = (name: string, more: object = {}): object => ({
    name,
    type: 'file',
    path: fileOf(name),
    ...more,
  });

  test.each([
    ['logger.level', (logger: TreelineLogger) => void (logger.level = 'debug')],
    ['setLevel', (logger: TreelineLogger) => logger.setLevel('debug', { for: '10m' })],
  ])('a root level set by %s holds for a stream that begins', async (_, setLevel) => {
    const logger = createLogger(writeConfig({ streams: [stream('a')] }));
    logger.info({ n: 0 });
    await logger.flush();
    setLevel(logger);
    writeConfig({ streams: [{ ...stream('a'), path: fileOf('b') }] });
    const reloading = logger.reload();
    for (let n = 1; n <= 200; n++) {
      logger.debug({ n });
      if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await reloading;
    logger.debug({ n: 201 });
    await logger.close();
    const got = [...numbersOf(fileOf('a')), ...numbersOf(fileOf('b'))];
    expect(got).toEqual(Array.from({ length: 202 }, (__, n) => n));
  });

  test('a level that holds for a time is kept by a config with another level', async () => {
    const logger = createLogger(writeConfig({ streams: [stream('a')] }));
    logger.info({ n: 0 });
    logger.setLevel('debug', { for: '10m' });
    writeConfig({ level: 'warn', streams: [stream('a')] });
    const reloading = logger.reload();
    for (let n = 1; n <= 100; n++) {
      logger.debug({ n });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await reloading;
    await logger.close();
    expect(numbersOf(fileOf('a'))).toHaveLength(101);
  });

  test.each([
    ['at once', [] as string[]],
    ['when a new stream is open', ['comes']],
  ])(
    'lines logged just before it are the old config’s, those after it the new one’s (%s)',
    async (_, more) => {
      const logger = createLogger(writeConfig({ streams: [stream('keep'), stream('goes')] }));
      logger.info({ n: 0 });
      await logger.flush();
      writeConfig({ level: 'warn', streams: [stream('keep'), ...more.map((name) => stream(name))] });
      for (const n of [1, 2, 3]) logger.info({ n });
      const { retired } = await logger.reload();
      logger.info({ n: 4 });
      logger.warn({ n: 5 });
      await logger.close();
      expect(numbersOf(fileOf('keep'))).toEqual([0, 1, 2, 3, 5]);
      expect(numbersOf(fileOf('goes'))).toEqual([0, 1, 2, 3]);
      expect(numbersOf(fileOf('comes'))).toEqual(more.map(() => 5));
      expect(retired['goes']).toMatchObject({ accepted: 4, delivered: 4, dropped: {} });
    },
  );

  test.each(['worker', 'in-process'])(
    'a line logged just before the root level rises arrives (%s)',
    async (mode) => {
      const logger = createLogger(writeConfig({ mode, streams: [stream('a')] }));
      logger.info({ n: 0 });
      await logger.flush();
      logger.info({ n: 1 });
      logger.level = 'warn';
      await logger.close();
      expect(numbersOf(fileOf('a'))).toEqual([0, 1]);
    },
  );

  test('new levels hold while a stream that went still drains', async () => {
    const down = path.join(folder, 'down');
    const goes = { name: 'goes', type: 'switchable', path: fileOf('goes'), down };
    fs.writeFileSync(down, '');
    const logger = createLogger(writeConfig({ streams: [stream('keep'), goes] }), {
      transports: [SWITCHABLE],
    });
    logger.info({ n: 0 });
    writeConfig({ level: 'debug', streams: [stream('keep')] });
    const reloading = logger.reload();
    await expect.poll(() => logger.level, { timeout: 30_000 }).toBe('debug');
    expect((await logger.stats()).config.reloads).toBe(0);
    logger.debug({ n: 1 });
    fs.rmSync(down);
    await reloading;
    await logger.close();
    expect(numbersOf(fileOf('keep'))).toEqual([0, 1]);
    expect(numbersOf(fileOf('goes'))).toEqual([0]);
  }, 90_000);
});

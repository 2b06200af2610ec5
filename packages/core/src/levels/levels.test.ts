import { parseDirectives } from '@treeline/query/directives';
import { pino, type Logger } from 'pino';
import { describe, expect, test } from 'vitest';
import { captureLogs } from '../capture-logs.ts';
import type { PipelineConfig, StreamConfig } from '../config/config.ts';
import { LevelControl } from './level-control.ts';

const stream = { name: 'out', type: 'console', level: undefined } as StreamConfig;

function settings(
  level: PipelineConfig['level'],
  directives = '',
  streams: readonly StreamConfig[] = [stream],
) {
  return {
    enabled: true,
    level,
    streams,
    directives: directives === '' ? [] : parseDirectives(directives).directives,
  };
}

function controlled(level: PipelineConfig['level'], directives = '') {
  const rootLevels: string[] = [];
  let control: LevelControl | undefined;
  const root: Logger = pino({ onChild: (child) => control?.adopt(child) }, { write: () => undefined });
  control = new LevelControl(root, settings(level, directives), (rootLevel) => rootLevels.push(rootLevel));
  return { root, control, rootLevels };
}

describe('level directives', () => {
  test('of a span decide what isLevelEnabled says inside of it', async () => {
    const { result } = await captureLogs(
      (logger) => [
        logger.isLevelEnabled('trace'),
        logger.span('request', () => logger.isLevelEnabled('trace')),
        logger.span('other', () => logger.isLevelEnabled('trace')),
        logger.isLevelEnabled('info'),
      ],
      { config: { level: 'info', levels: { '[request]': 'trace' } } },
    );
    expect(result).toEqual([false, true, false, true]);
  });

  test('decide by a logger’s name, its whole segments, in either direction', async () => {
    const { records } = await captureLogs(
      (logger) => {
        logger.debug('root');
        for (const name of ['db', 'db.pool', 'dbx', 'http.client', 'http']) {
          logger.child({ name }).debug(`${name} debug`);
          logger.child({ name }).info(`${name} info`);
        }
        logger.child({ module: 'db' }).debug('by module');
      },
      { config: { level: 'info', levels: { db: 'debug', 'http.client': 'warn' } } },
    );
    expect(records.map(({ msg }) => msg)).toEqual([
      'db debug',
      'db info',
      'db.pool debug',
      'db.pool info',
      'dbx info',
      'http info',
      'by module',
    ]);
  });

  test('hold inside spans of a name and with fields, for what is called from there too', async () => {
    const { records } = await captureLogs(
      async (logger) => {
        const http = logger.child({ name: 'http' });
        const serve = (method: string) =>
          logger.span('request', { method }, async () => {
            await Promise.resolve();
            http.trace(`${method} http`);
            logger.trace(`${method} root`);
            logger.span('step', () => http.trace(`${method} below`));
          });
        await Promise.all([serve('POST'), serve('GET')]);
        logger.span('noisy', () => logger.info('hidden'));
        http.trace('outside');
      },
      { config: { level: 'info', levels: { 'http[request{method=POST}]': 'trace', '[noisy]': 'silent' } } },
    );
    const messages = records.filter(({ span }) => span === undefined).map(({ msg }) => msg);
    expect(messages).toEqual(['POST http', 'POST below']);
    expect(records.some(({ span }) => (span as { name?: string })?.name === 'noisy')).toBe(false);
  });

  test('that ask for a field hold from the moment that the span has it', async () => {
    const { records } = await captureLogs(
      (logger) =>
        logger.span('job', (span) => {
          logger.debug('before');
          span.set({ tenant: 7 });
          logger.debug('after');
        }),
      { config: { level: 'info', levels: { '[job{tenant=7}]': 'debug' } } },
    );
    expect(records.map(({ msg }) => msg).filter(Boolean)).toEqual(['after']);
  });

  test('win over a level that the program has given a child, where they name it', async () => {
    const { records } = await captureLogs(
      (logger) => {
        const db = logger.child({ name: 'db' }, { level: 'error' });
        const quiet = logger.child({ name: 'quiet' }, { level: 'error' });
        db.debug('named');
        db.child({ name: 'db.pool' }).debug('named below');
        quiet.info('not named');
        quiet.child({ name: 'db' }).debug('named below a quiet one');
        db.level = 'fatal';
        db.debug('named, set once more');
        expect(db.level).toBe('debug');
        expect(quiet.level).toBe('error');
      },
      { config: { level: 'info', levels: { db: 'debug' } } },
    );
    expect(records.map(({ msg }) => msg)).toEqual([
      'named',
      'named below',
      'named below a quiet one',
      'named, set once more',
    ]);
  });

  test('that are applied later reach children that exist, with levels of their own or without', () => {
    const { root, control, rootLevels } = controlled('info');
    const db = root.child({ name: 'db' });
    const own = root.child({ name: 'own' }, { level: 'error' });
    expect([db, own, root].map(({ level }) => level)).toEqual(['info', 'error', 'info']);
    expect(control.isDynamic).toBe(false);

    control.applyLevels(settings('warn', 'db=trace,own=info'));
    expect([db, own, root].map(({ level }) => level)).toEqual(['trace', 'info', 'warn']);
    expect([db.isLevelEnabled('trace'), own.isLevelEnabled('debug')]).toEqual([true, false]);
    expect(control.isDynamic).toBe(true);

    control.applyLevels(settings('debug'));
    expect([db, own, root].map(({ level }) => level)).toEqual(['debug', 'error', 'debug']);
    expect(control.isDynamic).toBe(false);
    expect(rootLevels).toEqual(['info', 'warn', 'debug']);
  });

  test('leave a child’s own level alone when the plain root level changes', () => {
    const { root } = controlled('info');
    const own = root.child({}, { level: 'error' });
    root.level = 'trace';
    expect([own.level, own.child({}).level, root.level]).toEqual(['error', 'error', 'trace']);
    own.level = 'debug';
    expect([own.isLevelEnabled('debug'), own.isLevelEnabled('trace')]).toEqual([true, false]);
  });

  test('more of the name decides before a span does, and the last of equals', async () => {
    const { records } = await captureLogs(
      (logger) =>
        logger.span('s', () => {
          logger.child({ name: 'a.b' }).info('a.b');
          logger.child({ name: 'a' }).debug('a');
        }),
      { config: { level: 'info', levels: { 'a.b': 'warn', 'a[s]': 'debug' } } },
    );
    expect(records.map(({ msg }) => msg).filter(Boolean)).toEqual(['a']);
  });
});

describe('a level that is none', () => {
  test.each([
    ['the root', (logger: { level: string }) => (logger.level = 'loud')],
    ['a child', (logger: Logger) => (logger.child({}).level = 'loud')],
    ['a new child', (logger: Logger) => logger.child({}, { level: 'loud' })],
  ])('is refused for %s with the names that are allowed', async (_, set) => {
    await captureLogs((logger) => {
      expect(() => set(logger as unknown as Logger)).toThrow(
        new RangeError('level must be one of trace, debug, info, warn, error, fatal, silent; got "loud"'),
      );
    });
  });
});

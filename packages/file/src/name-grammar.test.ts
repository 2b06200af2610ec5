import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareAge,
  createNameGrammar,
  createProcessNameGrammar,
  parseAnyName,
  tokenMistake,
} from './name-grammar.ts';

describe('names without tokens', () => {
  const names = createNameGrammar('/var/log/error.log');

  test.each([
    ['error.log.2026-11-22', '2026-11-22', 0, undefined],
    ['error.log.2026-11-22.1', '2026-11-22', 1, undefined],
    ['error.log.2026-11-22T14.12.gz', '2026-11-22T14', 12, 'gz'],
    ['error.log.2026-11-22T14-05.zst', '2026-11-22T14-05', 0, 'zst'],
    ['error.log.2026-11-22.br', '2026-11-22', 0, 'br'],
  ])('%s is ours', (file, date, index, compressed) => {
    expect(names.parse(file)).toEqual({ file, date, index, compressed });
  });

  test.each([
    'error.log',
    'error.log.1',
    'error.log.bak',
    'error.log.2026-11-22.0',
    'error.log.2026-11-22.01',
    'error.log.2026-13-22',
    'error.log.2026-11-22T24',
    'error.log.2026-11-22.1.gz.tmp',
    'error.log.2026-11-22.1.gz.gz',
    'error-log.2026-11-22',
    'xerror.log.2026-11-22',
    'other.log.2026-11-22.1',
    'error.log.2026-11-22\n',
  ])('%j is not ours', (file) => {
    expect(names.parse(file)).toBeUndefined();
  });
});

describe('names with tokens', () => {
  test.each([
    ['app-%DATE%.log', 0, 'app-2026-11-22.log'],
    ['app-%DATE%.log', 2, 'app-2026-11-22.log.2'],
    ['app-%DATE%.%INDEX%.log', 3, 'app-2026-11-22.3.log'],
    ['%INDEX%_%DATE%', 1, '1_2026-11-22'],
  ])('%s with index %i is %s', (template, index, file) => {
    const names = createNameGrammar(`/var/log/${template}`);
    expect(names.format('2026-11-22', index)).toBe(file);
    expect(names.parse(file)).toMatchObject({ date: '2026-11-22', index });
    expect(names.parse(`${file}.gz`)).toMatchObject({ date: '2026-11-22', index, compressed: 'gz' });
  });

  test.each([
    ['/%DATE%/app.log', /in the file's name/],
    ['/a-%INDEX%.log', /must have %DATE%/],
    ['/a-%DATE%-%DATE%.log', /once/],
  ])('%s is refused', (path, message) => {
    expect(tokenMistake(path)).toMatch(message);
  });
});

test('what is formatted is parsed back, whatever the log is called', () => {
  const date = fc.constantFrom('2026-11-22', '2026-11-22T14', '2026-11-22T14-05');
  const base = fc.stringMatching(/^[^/\0%\n\r\u2028\u2029]{1,30}$/).filter((name) => !/^\.{1,2}$/.test(name));
  fc.assert(
    fc.property(base, date, fc.nat(1e6), (name, day, index) => {
      const names = createNameGrammar(`/logs/${name}`);
      const file = names.format(day, index);
      expect(names.parse(file)).toEqual({ file, date: day, index, compressed: undefined });
    }),
  );
});

test('a log for each process takes in the files of other processes and no others', () => {
  const names = createProcessNameGrammar('/logs/app.log', '/logs/app.log.host-1-1764000000000');
  expect(names.format('2026-11-22', 1)).toBe('app.log.host-1-1764000000000.2026-11-22.1');
  expect(names.parse('app.log.other.host-22-1764000000001.2026-11-22.1.gz')).toMatchObject({
    date: '2026-11-22',
    index: 1,
  });
  expect(names.parse('app.log.host-22-1764000000001')).toMatchObject({ date: '' });
  expect(names.parse('app.log')).toBeUndefined();
  expect(names.parse('app.log.2026-11-22.1')).toBeUndefined();
});

test.each([
  'app.log.before-2026-11',
  'app.log.incident-4711-0',
  'app.log.migration-1-2.gz',
  'app.log.host-0-1764000000000',
  'app.log.host-1-17640000000001',
  'app.log.-1-1764000000000',
])('%s is no process of a log for each process', (file) => {
  const names = createProcessNameGrammar('/logs/app.log', '/logs/app.log.host-1-1764000000000');
  expect(names.parse(file)).toBeUndefined();
});

test('where one date lies within the other, the last write tells which is older', () => {
  const names = [
    { date: '2026-11-22T05', modifiedMs: 5 },
    { date: '2026-11-22T06', modifiedMs: 6 },
    { date: '2026-11-22', modifiedMs: 9 },
    { date: '2026-11-23', modifiedMs: 1 },
  ].map((each) => ({ file: '', index: 0, compressed: undefined, ...each }));
  expect(names.toReversed().toSorted(compareAge)).toEqual(names);
  const earlier = names.map((each) => (each.date === '2026-11-22' ? { ...each, modifiedMs: 4 } : each));
  expect(earlier.toSorted(compareAge)[0]?.date).toBe('2026-11-22');
});

test.each([
  ['app.log.2026-11-22.1.gz', 'app.log'],
  ['app-2026-11-22.log', 'app-.log'],
  ['app.log.gz', 'app.log'],
])('the log of %s is found without knowing its path', (file, log) => {
  expect(parseAnyName(file)?.log.replace(/\.$/, '')).toBe(log);
});

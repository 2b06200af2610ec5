import { createBatch } from '@treeline/contract';
import { parseDirectives } from '@treeline/query/directives';
import { describe, expect, test } from 'vitest';
import { LineGate } from '../worker/line-gate.ts';
import { compileLineRule, DROP, LOOK, PASS } from './line-rule.ts';

const ROOT = { rootLevel: 30, directives: [] } as const;
const LEVELS = [10, 20, 30, 40, 50, 60];

function verdicts(stream: object, directives = ''): string[] {
  const rule = compileLineRule(
    { level: undefined, maxLevel: undefined, filter: undefined, ...stream },
    { rootLevel: 30, directives: parseDirectives(directives).directives },
  );
  const names: Record<number, string> = { [DROP]: '-', [PASS]: '+', [LOOK]: '?' };
  return LEVELS.map((level) => names[rule.verdicts[level] ?? 0] ?? '');
}

describe('a line is parsed only where its level does not decide', () => {
  test.each<[what: string, stream: object, directives: string, expected: string]>([
    ['the root level', {}, '', '--++++'],
    ['a level of its own', { level: 20 }, '', '-+++++'],
    ['silent', { level: Infinity }, '', '------'],
    ['maxLevel', { maxLevel: 40 }, '', '--++--'],
    ['a filter on levels', { filter: 'level>=warn' }, '', '---+++'],
    [
      'a filter on levels in parts',
      { filter: 'level>=warn and not level=fatal or level=info' },
      '',
      '--+++-',
    ],
    ['a filter on something else', { filter: 'audit=true' }, '', '--????'],
    ['a level and something else', { filter: 'level>=warn and audit=true' }, '', '---???'],
    ['a level or something else', { filter: 'level>=error or audit=true' }, '', '--??++'],
    ['a name that is let through below the root', {}, 'db=debug', '-?++++'],
    ['a name that is held back', {}, 'db=error', '--??++'],
    ['a name above a level of its own', { level: 20 }, 'db=error', '-???++'],
    ['a span that is let through', {}, '[job]=trace', '??++++'],
  ])('%s', (_, stream, directives, expected) => {
    expect(verdicts(stream, directives).join('')).toBe(expected);
  });

  test('a filter on levels alone never parses, whatever the lines hold', () => {
    const lines = LEVELS.map((level) => `{"level":${level},"broken":\n`).join('');
    const batch = createBatch(Buffer.from(lines), { logId: 'l', seq: 1 });
    const guarded = new Proxy(batch, {
      get(target, key) {
        if (key === 'record' || key === 'records') throw new Error('a line was parsed');
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const stream = { level: 10, maxLevel: undefined, filter: 'level in (debug, error)' };
    const wanted = new LineGate(compileLineRule(stream, ROOT)).select(guarded);
    expect([...wanted.levels]).toEqual([20, 50]);
  });
});

describe('judge', () => {
  const judge = (stream: object, directives: string, record: object, level: number): boolean =>
    compileLineRule(
      { level: undefined, maxLevel: undefined, filter: undefined, ...stream },
      { rootLevel: 30, directives: parseDirectives(directives).directives },
    ).judge({ ...record, level }, level);

  test.each<[record: object, level: number, directives: string, expected: boolean]>([
    [{ name: 'db' }, 20, 'db=debug', true],
    [{ name: 'db.pool' }, 20, 'db=debug', true],
    [{ name: 'dbx' }, 20, 'db=debug', false],
    [{ module: 'db' }, 20, 'db=debug', true],
    [{ name: 'http', module: 'db' }, 20, 'db=debug', false],
    [{ name: 'db' }, 40, 'db=error', false],
    [{}, 40, 'db=error', true],
    [{ span_id: 'a' }, 10, '[job]=trace', true],
    [{}, 10, '[job]=trace', false],
    [{ span_id: 'a', name: 'db' }, 10, 'http[job]=trace', false],
  ])('%j at %i with %s', (record, level, directives, expected) => {
    expect(judge({}, directives, record, level)).toBe(expected);
  });

  test('the level of the prefix wins over a second one in the line', () => {
    const line = '{"level":30,"level":50,"audit":false}\n';
    const batch = createBatch(Buffer.from(line), { logId: 'l', seq: 1 });
    const gate = new LineGate(
      compileLineRule({ level: undefined, maxLevel: undefined, filter: 'audit=true or level=error' }, ROOT),
    );
    expect(gate.select(batch).count).toBe(0);
  });
});

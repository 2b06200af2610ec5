import v8 from 'node:v8';
import vm from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Aging } from './aging.ts';

describe('Aging', () => {
  test('knows the oldest entry through deletions and renewals', () => {
    const map = new Aging<number>();
    for (let index = 0; index < 5; index++) map.set(`k${index}`, index);
    expect(map.oldest()).toBe(0);
    map.renew('k0');
    expect(map.oldest()).toBe(1);
    map.delete('k1');
    map.delete('k2');
    expect(map.oldest()).toBe(3);
    for (const key of ['k3', 'k4', 'k0']) map.delete(key);
    expect(map.oldest()).toBeUndefined();
    map.set('new', 9);
    expect(map.oldest()).toBe(9);
  });

  test('gives its values in the order of their age, whatever was done', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const action = fc.tuple(fc.constantFrom('set' as const, 'delete' as const, 'renew' as const), key);
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
        const map = new Aging<string>();
        let expected: string[] = [];
        for (const [name, each] of actions) {
          if (name === 'set') map.set(each, each);
          else map[name](each);
          const isThere = name === 'set' || (name === 'renew' && expected.includes(each));
          expected = [...expected.filter((other) => other !== each), ...(isThere ? [each] : [])];
          expect(map.values()).toEqual(expected);
          expect(map.oldest()).toBe(expected[0]);
          expect(map.size).toBe(expected.length);
        }
      }),
    );
  });

  test('keeps nothing of entries that came and went', () => {
    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc') as () => void;
    const map = new Aging<number>();
    map.set('stays', 0);
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < 300_000; index++) {
      map.set(`k${index}`, index);
      map.delete(`k${index}`);
    }
    gc();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5 * 1024 * 1024);
  });
});

import { describe, expect, test } from 'vitest';
import { Aging } from './aging.ts';

describe('Aging', () => {
  test('knows the oldest entry through deletions and renewals', () => {
    const map = new Aging<number>();
    for (let index = 0; index < 5; index++) map.set(`k${index}`, index);
    expect(map.oldest()).toBe(0);
    map.renew('k0', 0);
    expect(map.oldest()).toBe(1);
    map.delete('k1');
    map.delete('k2');
    expect(map.oldest()).toBe(3);
    for (const key of ['k3', 'k4', 'k0']) map.delete(key);
    expect(map.oldest()).toBeUndefined();
    map.set('new', 9);
    expect(map.oldest()).toBe(9);
  });
});

import { describe, expect, test } from 'vitest';
import { Window } from './window.ts';

const chunk = (firstSeq: number, count: number) => ({
  firstSeq,
  count,
  start: firstSeq * 10,
  length: count * 10,
});

describe('Window', () => {
  test('hands out each chunk once, in order', () => {
    const window = new Window();
    window.push(chunk(1, 2));
    window.push(chunk(3, 2));
    expect(window.takeUnposted()?.firstSeq).toBe(1);
    expect(window.takeUnposted()?.firstSeq).toBe(3);
    expect(window.takeUnposted()).toBeUndefined();
  });

  test('lets go of a chunk only when its last record is settled', () => {
    const window = new Window();
    window.push(chunk(1, 10));
    window.push(chunk(11, 5));
    window.release(9);
    expect(window.oldest?.firstSeq).toBe(1);
    window.release(10);
    expect(window.oldest?.firstSeq).toBe(11);
    window.release(15);
    expect(window.oldest).toBeUndefined();
  });

  test('hands out again what is not settled when the worker has died', () => {
    const window = new Window();
    window.push(chunk(1, 2));
    window.push(chunk(3, 2));
    window.takeUnposted();
    window.takeUnposted();
    window.release(2);
    window.repost();
    expect(window.takeUnposted()?.firstSeq).toBe(3);
    expect(window.takeUnposted()).toBeUndefined();
  });

  test('goes on with the chunk that follows when posted ones are let go', () => {
    const window = new Window();
    for (const firstSeq of [1, 2, 3]) window.push(chunk(firstSeq, 1));
    window.takeUnposted();
    window.takeUnposted();
    window.release(1);
    expect(window.isOldestUnposted).toBe(false);
    expect(window.takeUnposted()?.firstSeq).toBe(3);
    window.shift();
    window.shift();
    expect(window.oldest).toBeUndefined();
  });
});

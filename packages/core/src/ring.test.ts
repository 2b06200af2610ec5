import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ring } from './ring.ts';

describe('Ring', () => {
  test('keeps every run whole until it is given back, whatever is written and freed', () => {
    const step = fc.record({
      text: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
      frees: fc.nat({ max: 4 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const ring = new Ring(256);
        const kept: { start: number; length: number; text: string }[] = [];
        for (const { text, frees } of steps) {
          const length = Buffer.byteLength(text);
          while (!ring.wrapFor(length)) {
            kept.shift();
            ring.freeTo(kept[0]?.start ?? ring.end);
            if (kept.length === 0) ring.rewind();
          }
          const start = ring.end;
          expect(ring.write(text)).toBe(length);
          kept.push({ start, length, text });
          for (let index = 0; index < frees && kept.length > 0; index++) kept.shift();
          ring.freeTo(kept[0]?.start ?? ring.end);
          if (frees === 4) ring.rewind();
          for (const run of kept) expect(ring.view(run.start, run.length).toString()).toBe(run.text);
          expect(ring.usedBytes).toBeLessThanOrEqual(ring.size);
        }
      }),
    );
  });

  test('takes a run of its whole size when nothing is in use', () => {
    const ring = new Ring(64);
    ring.write('x'.repeat(40));
    ring.freeTo(ring.end);
    expect(ring.wrapFor(64)).toBe(false);
    ring.rewind();
    expect(ring.wrapFor(64)).toBe(true);
    expect(ring.wrapFor(65)).toBe(false);
  });

  test('uses the memory that another of its size has given back, once', () => {
    const first = new Ring(4096);
    first.write('left behind');
    first.giveBack();
    expect(new Ring(8192).memory).not.toBe(first.memory);
    const second = new Ring(4096);
    expect(second.memory).toBe(first.memory);
    expect([second.end, second.usedBytes]).toEqual([0, 0]);
    expect(new Ring(4096).memory).not.toBe(first.memory);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkPool } from './chunk-pool.ts';

describe('ChunkPool', () => {
  test('never writes over lines that somebody holds, and needs little more memory than is held', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 40 }),
        fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 300 }),
        (heldChunks, lengths) => {
          const held: { seq: number; bytes: Buffer }[] = [];
          const slabs = new Set<ArrayBufferLike>();
          const pool = new ChunkPool((firstSeq, lastSeq) =>
            held.some(({ seq }) => seq >= firstSeq && seq <= lastSeq),
          );
          for (const [seq, length] of lengths.entries()) {
            const bytes = pool.copy({
              firstSeq: seq,
              count: 1,
              bytes: new Uint8Array(length).fill(seq % 256),
            });
            slabs.add(bytes.buffer);
            held.push({ seq, bytes });
            if (held.length > heldChunks) held.shift();
            for (const chunk of held)
              expect(chunk.bytes.every((byte) => byte === chunk.seq % 256)).toBe(true);
          }
          expect(slabs.size).toBeLessThanOrEqual(heldChunks + 1 + 4 + 1);
        },
      ),
      { numRuns: 20 },
    );
  });
});

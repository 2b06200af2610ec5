import { createBatch } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attemptBatch } from './attempt.ts';
import type { Outcome } from './protocol.ts';

/** A server that takes bodies up to a size without a bad record, and breaks after some requests. */
interface Server {
  readonly maxBytes: number;
  readonly bad: ReadonlySet<string | undefined>;
  readonly breaksAfter: number;
}

describe('attemptBatch', () => {
  test('delivers, gives up or puts off each record, exactly one of the three, and in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.uniqueArray(fc.nat(59), { maxLength: 8 }),
        fc.integer({ min: 1, max: 4_000 }),
        fc.integer({ min: 1, max: 80 }),
        async (count, bad, maxBytes, breaksAfter) => {
          const server: Server = { maxBytes, bad: new Set(bad.map((n) => `record ${n}`)), breaksAfter };
          const batch = createBatch(lines(Array.from({ length: count }, (_, index) => record(index))));
          const taken: number[] = [];
          let requests = 0;
          const attempt = await attemptBatch(batch, {
            maxBytes: () => Infinity,
            tooLarge: () => undefined,
            looksLikeAll: () => false,
            async send(part, indexes): Promise<Outcome> {
              if (++requests > server.breaksAfter) return { kind: 'retry', reason: 'down' };
              if (part.bytes.length > server.maxBytes) return { kind: 'split', reason: 'too large' };
              if (part.records().some(({ msg }) => server.bad.has(msg)))
                return { kind: 'refused', reason: 'bad' };
              taken.push(...indexes);
              return { kind: 'delivered' };
            },
          });
          const settled = [...taken, ...attempt.dead.map(({ index }) => index), ...attempt.retry];
          expect(settled.toSorted((a, b) => a - b)).toEqual([...Array(count).keys()]);
          expect(attempt.delivered).toBe(taken.length);
          expect(taken).toEqual(taken.toSorted((a, b) => a - b));
          // What is put off is the tail: nothing overtakes it.
          expect(attempt.retry.every((index) => index > Math.max(-1, ...taken))).toBe(true);
        },
      ),
    );
  });
});

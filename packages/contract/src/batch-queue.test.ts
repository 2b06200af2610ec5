import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BatchQueue } from './batch-queue.ts';
import { createBatch, selectLines, type Batch } from './batch.ts';
import { lines, record } from './testing/sample-lines.ts';

const UNBOUNDED = { maxBytes: Infinity, maxRecords: Infinity, maxDelayMs: 100 };

function sample(count: number, firstSeq: number, logId = 'log-1'): Batch {
  return createBatch(lines(Array.from({ length: count }, (_, index) => record(firstSeq + index))), {
    logId,
    seq: firstSeq,
  });
}

describe('BatchQueue', () => {
  test('takes nothing when nothing waits', () => {
    const queue = new BatchQueue(UNBOUNDED);
    expect(queue.take()).toBeUndefined();
    expect(queue.dueInMs(0)).toBe(Infinity);
  });

  test('hands a batch that fits through as it is', () => {
    const queue = new BatchQueue(UNBOUNDED);
    const batch = sample(3, 1);
    queue.push(batch, 0);
    expect(queue.take()).toBe(batch);
  });

  test('is due when its oldest line has waited, counted from the first push', () => {
    const queue = new BatchQueue(UNBOUNDED);
    queue.push(sample(1, 1), 10);
    queue.push(sample(1, 2), 90);
    expect(queue.dueInMs(60)).toBe(50);
    expect(queue.dueInMs(500)).toBe(0);
  });

  test.each([
    ['bytes', { ...UNBOUNDED, maxBytes: 100 }],
    ['records', { ...UNBOUNDED, maxRecords: 2 }],
  ])('is due at once when it is full of %s', (_name, hints) => {
    const queue = new BatchQueue(hints);
    queue.push(sample(2, 1), 0);
    expect(queue.dueInMs(0)).toBe(0);
  });

  test('is due at once while a line of the urgent level waits, and not when that was taken or dropped', () => {
    const queue = new BatchQueue({ ...UNBOUNDED, maxRecords: 2, urgentLevel: 50 });
    const leveled = (level: number, seq: number): Batch =>
      createBatch(lines([{ ...record(seq), level }]), { logId: 'log-1', seq });
    queue.push(leveled(40, 1), 0);
    expect(queue.dueInMs(10)).toBe(90);
    queue.push(leveled(50, 2), 0);
    expect(queue.dueInMs(10)).toBe(0);
    expect(queue.take()?.count).toBe(2);
    queue.push(leveled(40, 3), 0);
    expect(queue.dueInMs(10)).toBe(90);
    queue.push(leveled(60, 4), 0);
    queue.dropUpTo(4);
    queue.push(leveled(30, 5), 0);
    expect(queue.dueInMs(10)).toBe(90);
    queue.setHints({ ...UNBOUNDED, urgentLevel: 30 });
    expect(queue.dueInMs(10)).toBe(0);
    queue.setHints({ ...UNBOUNDED, urgentLevel: 50 });
    queue.push(leveled(60, 6), 0);
    queue.retain((batch) => selectLines(batch, batch.seq(0) === 6 ? [] : [0]));
    expect(queue.dueInMs(10)).toBe(90);
  });

  test('lets a line over the limit go alone', () => {
    const queue = new BatchQueue({ ...UNBOUNDED, maxBytes: 10 });
    queue.push(sample(2, 1), 0);
    expect(queue.take()?.count).toBe(1);
    expect(queue.take()?.count).toBe(1);
    expect(queue.take()).toBeUndefined();
  });

  test('ends a batch where another log begins', () => {
    const queue = new BatchQueue(UNBOUNDED);
    queue.push(sample(2, 8, 'adopted'), 0);
    queue.push(sample(3, 1), 0);
    expect(queue.take()?.position).toEqual({ logId: 'adopted', seq: 9 });
    expect(queue.take()?.position).toEqual({ logId: 'log-1', seq: 3 });
  });

  test('settles records that a filter left out with the lines before them', () => {
    const queue = new BatchQueue(UNBOUNDED);
    queue.push(sample(2, 1), 0);
    queue.push(selectLines(sample(5, 3), []), 0);
    expect(queue.count).toBe(2);
    expect(queue.take()?.position?.seq).toBe(7);
  });

  test('keeps order, bounds, counts and positions over any pushes and takes', () => {
    const push = fc.record({ kept: fc.array(fc.boolean(), { maxLength: 20 }) });
    const hints = fc.record({
      maxBytes: fc.integer({ min: 1, max: 2000 }),
      maxRecords: fc.integer({ min: 1, max: 12 }),
      maxDelayMs: fc.constant(100),
    });
    fc.assert(
      fc.property(
        hints,
        fc.array(fc.oneof(push, fc.constant('take' as const)), { maxLength: 40 }),
        (limits, steps) => {
          const queue = new BatchQueue(limits);
          const waiting: number[] = [];
          let logged = 0;
          let settled = 0;
          const take = (): void => {
            const batch = queue.take();
            expect(batch === undefined).toBe(waiting.length === 0);
            if (!batch) return;
            expect(batch.count).toBeLessThanOrEqual(limits.maxRecords);
            if (batch.count > 1) expect(batch.bytes.length).toBeLessThanOrEqual(limits.maxBytes);
            const taken = Array.from({ length: batch.count }, (_, index) => batch.seq(index));
            expect(taken).toEqual(waiting.splice(0, batch.count));
            expect(batch.bytes.toString()).toBe(lines(taken.map((seq) => record(seq))).toString());
            settled = batch.position?.seq ?? 0;
            expect(settled).toBeGreaterThanOrEqual(taken.at(-1) ?? 0);
            expect(settled).toBeLessThan(waiting[0] ?? Infinity);
          };
          for (const step of steps) {
            if (step === 'take') take();
            else {
              const indexes = step.kept.flatMap((kept, index) => (kept ? [index] : []));
              queue.push(selectLines(sample(step.kept.length, logged + 1), indexes), 0);
              waiting.push(...indexes.map((index) => logged + 1 + index));
              logged += step.kept.length;
            }
            expect(queue.count).toBe(waiting.length);
            expect(queue.bytes).toBe(lines(waiting.map((seq) => record(seq))).length);
          }
          while (waiting.length > 0) take();
          expect([queue.count, queue.bytes]).toEqual([0, 0]);
        },
      ),
    );
  });
});

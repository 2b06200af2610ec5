import { createBatch } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import { expect, test } from 'vitest';
import { RecordIds } from './record-ids.ts';

function sample(count: number, seq?: number): ReturnType<typeof createBatch> {
  const bytes = lines(Array.from({ length: count }, (_, index) => record(index)));
  return createBatch(bytes, seq === undefined ? undefined : { logId: 'log', seq });
}

function idsOf(ids: RecordIds, batch: ReturnType<typeof createBatch>): string[] {
  const idOf = ids.of(batch);
  return Array.from({ length: batch.count }, (_, index) => idOf(index));
}

test.each([[[0, 1, 2]], [undefined], [[1, 2]]])(
  'no id is given twice when a batch without a place follows one with a place that failed (%j)',
  (retry) => {
    const ids = new RecordIds();
    const placed = idsOf(ids, sample(3, 1));
    ids.keep(retry);
    const first = idsOf(ids, sample(3));
    ids.keep([]);
    const second = idsOf(ids, sample(2));
    expect(new Set([...placed, ...first, ...second]).size).toBe(8);
  },
);

test('what is offered again has the id that it had', () => {
  const ids = new RecordIds();
  const before = idsOf(ids, sample(3));
  ids.keep([0, 2]);
  expect(idsOf(ids, sample(2))).toEqual([before[0], before[2]]);
});

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBatch, joinBatches, selectLines, sliceBatch, type Batch } from './batch.ts';
import { lines, record } from './testing/sample-lines.ts';

const LOG = 'log-1';

function sample(count: number, firstSeq = 1): Batch {
  const records = Array.from({ length: count }, (_, index) => record(firstSeq + index));
  return createBatch(lines(records), { logId: LOG, seq: firstSeq });
}

function seqs(batch: Batch): number[] {
  return Array.from({ length: batch.count }, (_, index) => batch.seq(index));
}

describe('createBatch', () => {
  test('finds lines, their ends and their levels', () => {
    const batch = createBatch(Buffer.from('{"level":30,"msg":"é"}\n{"level":60}\n'));
    expect(batch.count).toBe(2);
    expect([...batch.ends]).toEqual([24, 37]);
    expect([...batch.levels]).toEqual([30, 60]);
    expect(batch.line(0).toString()).toBe('{"level":30,"msg":"é"}');
    expect(batch.line(1).toString()).toBe('{"level":60}');
    expect(batch.position).toBeUndefined();
    expect(batch.seq(0)).toBeNaN();
  });

  test.each([
    ['the prefix', '{"level":40,"msg":"x"}', 40],
    ['the prefix, not a second key', '{"level":40,"level":60}', 40],
    ['a level of one digit', '{"level":5}', 5],
    ['a level over 255 as 255', '{"level":1000,"a":1}', 255],
    ['a level below 0 as 0', '{"level":-5,"a":1}', 0],
    ['a level with a fraction as a whole number', '{"level":35.5}', 35],
    ['a level name', '{"level":"WARN","msg":"x"}', 40],
    ['a level that is not first', '{"msg":"x","level":50}', 50],
    ['a level after white space', '{ "level": 50 }', 50],
    ['no level as info', '{"msg":"x"}', 30],
    ['an unknown level name as info', '{"level":"loud"}', 30],
    ['a level that is no number as info', '{"level":null}', 30],
    ['text as info', 'plain text', 30],
    ['a broken object by its prefix', '{"level":50,"msg":"cut he', 50],
    ['an array as info', '[1,2]', 30],
  ])('reads %s', (_name, line, level) => {
    expect([...createBatch(Buffer.from(`${line}\n`)).levels]).toEqual([level]);
  });

  test('gives each record the level and time of its prefix when the keys stand twice', () => {
    const batch = createBatch(Buffer.from('{"level":30,"time":1,"level":"mine","time":"never"}\n'));
    expect(batch.record(0)).toEqual({ level: 30, time: 1 });
  });

  test('keeps a time that is no whole number', () => {
    expect(createBatch(Buffer.from('{"level":30,"time":1.5}\n')).record(0).time).toBe(1.5);
    expect(createBatch(Buffer.from('{"level":30,"time":"2026-01-01"}\n')).record(0).time).toBe('2026-01-01');
  });

  test('keeps a line that is no JSON as a text record', () => {
    const batch = createBatch(Buffer.from([0x68, 0xff, 0x0a]));
    expect(batch.record(0)).toEqual({ level: 30, msg: 'h\ufffd' });
  });

  test('parses each line once', () => {
    const batch = sample(2);
    expect(batch.records()[1]).toBe(batch.record(1));
    expect(sliceBatch(batch, 1, 2).record(0)).toBe(batch.record(1));
    expect(selectLines(batch, [1]).record(0)).toBe(batch.record(1));
    expect(joinBatches([batch, sample(1, 3)]).record(1)).toBe(batch.record(1));
  });

  test('finds more lines than any batch before had', () => {
    const count = 5000;
    expect(createBatch(Buffer.from('x\n'.repeat(count))).count).toBe(count);
    expect(createBatch(Buffer.from('x\n')).count).toBe(1);
  });

  test('of nothing has no lines and settles what came before', () => {
    const batch = createBatch(Buffer.alloc(0), { logId: LOG, seq: 8 });
    expect(batch.count).toBe(0);
    expect(batch.position).toEqual({ logId: LOG, seq: 7 });
  });

  test('refuses a last line that is not ended', () => {
    expect(() => createBatch(Buffer.from('a\nb'))).toThrow(new RangeError('bytes must end with a line feed'));
  });
});

describe('sliceBatch', () => {
  test('shares the bytes', () => {
    const batch = sample(3);
    expect(sliceBatch(batch, 1, 2).bytes.buffer).toBe(batch.bytes.buffer);
  });

  test('lets a head settle the records that a filter left out before the tail', () => {
    const filtered = selectLines(sample(10), [0, 6, 9]);
    expect(sliceBatch(filtered, 0, 1).position?.seq).toBe(6);
    expect(sliceBatch(filtered, 0, 2).position?.seq).toBe(9);
    expect(sliceBatch(filtered, 1, 3).position?.seq).toBe(10);
  });

  test.each([
    [-1, 1],
    [2, 1],
    [0, 4],
    [Number.NaN, 1],
  ])('refuses lines %s to %s of three', (from, to) => {
    expect(() => sliceBatch(sample(3), from, to)).toThrow(RangeError);
  });
});

describe('selectLines', () => {
  test('settles what the whole batch settles, even with nothing selected', () => {
    expect(selectLines(sample(3), []).position).toEqual({ logId: LOG, seq: 3 });
  });

  test('may be repeated without end', () => {
    let batch = sample(3);
    for (let times = 0; times < 20_000; times++)
      batch = selectLines(joinBatches([sliceBatch(batch, 0, 3)]), [0, 1, 2]);
    let pair = selectLines(batch, [0, 2]);
    for (let times = 0; times < 20_000; times++) pair = selectLines(sliceBatch(pair, 0, pair.count), [0, 1]);
    expect(pair.record(1).msg).toBe('record 3');
    expect(pair.seq(1)).toBe(3);
  });
});

describe('a small selection', () => {
  test('takes over the records that were parsed before', () => {
    const batch = sample(10);
    const parsed = batch.record(4);
    const few = selectLines(batch, [4, 5]);
    expect(few.record(0)).toBe(parsed);
    expect(few.record(1)).toEqual(record(6));
    expect(few.record(1)).toBe(few.record(1));
    expect(seqs(few)).toEqual([5, 6]);
  });

  test('does not keep the batch in memory', () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const few = Array.from({ length: 100 }, () =>
      selectLines(createBatch(Buffer.alloc(1_000_000, `${'x'.repeat(99)}\n`)), [5]),
    );
    collectGarbage();
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(40 * 1024 * 1024);
    expect(few.map((batch) => batch.record(0).msg?.length)).toEqual(few.map(() => 99));
  });
});

describe('joinBatches', () => {
  test('stands at the position of the last, also where that has no lines', () => {
    const joined = joinBatches([sample(2), selectLines(sample(5, 3), [])]);
    expect(joined.count).toBe(2);
    expect(joined.position?.seq).toBe(7);
  });

  test('refuses batches of different logs', () => {
    const other = createBatch(Buffer.from('x\n'), { logId: 'log-2', seq: 1 });
    expect(() => joinBatches([sample(1), other])).toThrow(RangeError);
    expect(() => joinBatches([createBatch(Buffer.from('x\n')), other])).toThrow(RangeError);
  });

  test('of nothing has no lines', () => {
    expect(joinBatches([]).count).toBe(0);
  });
});

/** What a batch must be, computed the simple way: for each line its seq, and what it settles. */
interface Model {
  readonly seqs: readonly number[];
  readonly settles: number;
}

function expectToMatch(batch: Batch, model: Model): void {
  expect(seqs(batch)).toEqual(model.seqs);
  expect(batch.records().map(({ msg }) => msg)).toEqual(model.seqs.map((seq) => `record ${seq}`));
  expect(batch.bytes.toString()).toBe(lines(model.seqs.map((seq) => record(seq))).toString());
  expect(batch.line(0).length).toBe(Math.max(0, (batch.ends[0] ?? 1) - 1));
  expect(batch.position?.seq).toBe(model.settles);
}

test('batches of another copy of this package are sliced, selected and joined as our own', () => {
  const own = sample(10);
  const foreign: Batch = {
    bytes: own.bytes,
    count: own.count,
    ends: own.ends,
    levels: own.levels,
    position: own.position,
    line: (index) => own.line(index),
    record: (index) => own.record(index),
    seq: (index) => own.seq(index),
    records: () => own.records(),
  };
  const joined = joinBatches([
    sliceBatch(foreign, 0, 2),
    selectLines(foreign, [4]),
    sliceBatch(foreign, 8, 10),
  ]);
  expect(seqs(joined)).toEqual([1, 2, 5, 9, 10]);
  expect(joined.records().map(({ msg }) => msg)).toEqual([1, 2, 5, 9, 10].map((seq) => `record ${seq}`));
});

describe('batch algebra', () => {
  const cut = fc.tuple(fc.nat(1000), fc.nat(1000));
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('slice' as const), cut }),
    fc.record({ kind: fc.constant('select' as const), keep: fc.array(fc.boolean(), { maxLength: 30 }) }),
    fc.record({ kind: fc.constant('join' as const), count: fc.nat(5) }),
  );

  test('keeps lines, numbers and positions through any slices, selections and joins', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(operation, { maxLength: 12 }),
        (count, operations) => {
          let batch = sample(count, 5);
          let model: Model = { seqs: seqs(batch), settles: 5 + count - 1 };
          for (const step of operations) {
            if (step.kind === 'slice') {
              const [from, to] = step.cut.map((at) => at % (batch.count + 1)).toSorted((a, b) => a - b) as [
                number,
                number,
              ];
              const next = model.seqs[to];
              batch = sliceBatch(batch, from, to);
              model = {
                seqs: model.seqs.slice(from, to),
                settles: next === undefined ? model.settles : next - 1,
              };
            } else if (step.kind === 'select') {
              const kept = model.seqs.map((_, index) => index).filter((index) => step.keep[index] ?? false);
              batch = selectLines(batch, kept);
              model = { seqs: kept.map((index) => model.seqs[index] ?? 0), settles: model.settles };
            } else {
              const more = sample(step.count, model.settles + 1);
              batch = joinBatches([batch, more]);
              model = { seqs: [...model.seqs, ...seqs(more)], settles: model.settles + step.count };
            }
            expectToMatch(batch, model);
          }
        },
      ),
    );
  });

  test('settling the heads one by one settles each record with its own head, never one of the tail', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 5 })),
        (keep, sizes) => {
          const whole = sample(keep.length, 1);
          const kept = keep.flatMap((wanted, index) => (wanted ? [index] : []));
          let rest = selectLines(whole, kept);
          let settled = 0;
          const delivered: number[] = [];
          for (const size of [...sizes, rest.count]) {
            const head = sliceBatch(rest, 0, Math.min(size, rest.count));
            rest = sliceBatch(rest, head.count, rest.count);
            delivered.push(...seqs(head));
            expect(head.position?.seq).toBeGreaterThanOrEqual(Math.max(settled, ...seqs(head)));
            settled = head.position?.seq ?? 0;
            // A crash here replays what is after `settled`: none of it was delivered, and all that remains is in it.
            expect(delivered.every((seq) => seq <= settled)).toBe(true);
            expect(seqs(rest).every((seq) => seq > settled)).toBe(true);
          }
          for (; rest.count > 0; rest = sliceBatch(rest, 1, rest.count)) delivered.push(rest.seq(0));
          expect(delivered).toEqual(kept.map((index) => index + 1));
        },
      ),
    );
  });
});

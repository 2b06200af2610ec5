import { createBatch, type Batch } from '@treeline/contract';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { LineGate } from '../worker/line-gate.ts';
import { LOOK } from './line-rule.ts';
import { compileStages, type StageConfig, type Stages } from './stages.ts';

afterEach(() => {
  vi.useRealTimers();
});

function batchOf(records: readonly object[], seq = 1): Batch {
  const lines = records.map(
    (record) => `${JSON.stringify({ level: 30, time: 1_760_000_000_000, ...record })}\n`,
  );
  return createBatch(Buffer.from(lines.join('')), { logId: 'l', seq });
}

function passed(stages: Stages, batch: Batch): unknown[] {
  return stages
    .process(batch)
    .batch.records()
    .map(({ n }) => n);
}

const numbered = (count: number, record: (n: number) => object = () => ({})): object[] =>
  Array.from({ length: count }, (_, n) => ({ n, ...record(n) }));

describe('sample', () => {
  test('lets a share through, the same records whenever they are offered', () => {
    const batch = batchOf(numbered(10_000));
    const { batch: first, dropped } = compileStages({ sample: { rate: 0.1 } }, {}).process(batch);
    expect(first.count).toBeGreaterThan(800);
    expect(first.count).toBeLessThan(1_200);
    expect(dropped).toEqual({ sample: 10_000 - first.count });
    expect(passed(compileStages({ sample: { rate: 0.1 } }, {}), batch)).toEqual(
      first.records().map(({ n }) => n),
    );
  });

  test.each([
    [0, 0],
    [1, 1_000],
  ])('a rate of %i lets %i of 1 000 through', (rate, count) => {
    expect(passed(compileStages({ sample: { rate } }, {}), batchOf(numbered(1_000)))).toHaveLength(count);
  });

  test('records of one trace pass or stay together, and those that `keep` names always pass', () => {
    const batch = batchOf(
      numbered(1_000, (n) => ({ trace_id: `t${n % 100}`, level: n % 50 === 0 ? 50 : 30 })),
    );
    const stages = compileStages({ sample: { rate: 0.3, keep: 'level>=error' } }, {});
    const kept = stages.process(batch).batch.records();
    const counts = new Map<unknown, number>();
    for (const { trace_id: id, level } of kept) if (level < 50) counts.set(id, (counts.get(id) ?? 0) + 1);
    expect(kept.filter(({ level }) => level === 50)).toHaveLength(20);
    expect([...counts].filter(([id]) => id !== 't0' && id !== 't50').every(([, count]) => count === 10)).toBe(
      true,
    );
    expect(counts.size).toBeGreaterThan(10);
    expect(counts.size).toBeLessThan(60);
  });
});

describe('rateLimit', () => {
  const rateLimit = { records: 3, perMs: 1_000, by: [] };

  test('lets so many through in each period, by the time of the records', () => {
    const stages = compileStages({ rateLimit }, {});
    const batch = batchOf(numbered(20, (n) => ({ time: 1_760_000_000_000 + n * 100 })));
    expect(passed(stages, batch)).toEqual([0, 1, 2, 10, 11, 12]);
  });

  test('counts each combination of values by itself', () => {
    const stages = compileStages({ rateLimit: { ...rateLimit, by: ['msg', 'req.url'] } }, {});
    const records = numbered(12, (n) => ({ msg: 'm', req: { url: `/${n % 2}` } }));
    expect(passed(stages, batchOf(records))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('tells once what it has left out, 10 s later at the earliest', () => {
    const stages = compileStages({ rateLimit }, {});
    expect(stages.dueMs()).toBe(Infinity);
    expect(stages.process(batchOf(numbered(10))).dropped).toEqual({ 'rate-limit': 7 });
    const dueMs = stages.dueMs();
    expect(dueMs - Date.now()).toBeGreaterThan(9_000);
    expect(stages.takeSummaries(dueMs - 1)).toEqual([]);
    const [summary] = stages.takeSummaries(dueMs);
    expect(summary).toMatchObject({ level: 40, name: 'treeline', dropped: { 'rate-limit': 7 } });
    expect(summary?.msg).toBe('7 records were left out by the rate limit (3 records in 1s)');
    expect(stages.takeSummaries(Infinity)).toEqual([]);
  });

  test('values without end share a limit instead of filling the memory', () => {
    const stages = compileStages({ rateLimit: { records: 1, perMs: 60_000, by: ['id'] } }, {});
    const { batch } = stages.process(batchOf(numbered(20_000, (n) => ({ id: n }))));
    expect(batch.count).toBe(10_001);
  });
});

describe('dedupe', () => {
  const dedupe = { windowMs: 10_000, by: ['level', 'msg'], summary: true };

  test('leaves repetitions out and ends the window with a summary', () => {
    vi.useFakeTimers({ now: 1_760_000_000_000, toFake: ['Date'] });
    const stages = compileStages({ dedupe }, {});
    const records = numbered(9, (n) => ({ msg: n === 4 ? 'other' : 'again', name: 'db' }));
    const { batch, dropped } = stages.process(batchOf(records));
    expect(batch.records().map(({ n }) => n)).toEqual([0, 4]);
    expect(dropped).toEqual({ dedupe: 7 });
    expect(stages.dueMs()).toBe(Date.now() + 10_000);
    expect(stages.takeSummaries(Date.now() + 9_999)).toEqual([]);
    expect(stages.takeSummaries(Date.now() + 10_000)).toEqual([
      { level: 30, time: Date.now(), name: 'db', repeated: 7, msg: 'repeated 7 times within 10s: again' },
    ]);
    expect(stages.dueMs()).toBe(Infinity);
  });

  test('a record behind the window passes again, and the summary of the old one is due at once', () => {
    const stages = compileStages({ dedupe }, {});
    const records = [0, 5_000, 10_000].map((ms, n) => ({ n, msg: 'again', time: 1_760_000_000_000 + ms }));
    expect(passed(stages, batchOf(records))).toEqual([0, 2]);
    expect(stages.dueMs()).toBe(0);
    expect(stages.takeSummaries(0)).toMatchObject([{ repeated: 1 }]);
  });

  test('a span keeps its open and close, and records without the fields are not alike', () => {
    const records = [
      { n: 0, span: { op: 'open', name: 'a' } },
      { n: 1, span: { op: 'close', name: 'a' } },
      { n: 2, audit: true },
      { n: 3, audit: false },
    ];
    expect(passed(compileStages({ dedupe }, {}), batchOf(records))).toEqual([0, 1, 2, 3]);
  });

  test('without summary it is counted alone', () => {
    const stages = compileStages({ dedupe: { ...dedupe, summary: false } }, {});
    stages.process(batchOf(numbered(3, () => ({ msg: 'again' }))));
    expect(stages.takeSummaries(Infinity)).toEqual([]);
  });

  test('more different records than are remembered end the oldest windows early', () => {
    const stages = compileStages({ dedupe }, {});
    stages.process(batchOf([{ msg: 'first' }, { msg: 'first' }]));
    stages.process(batchOf(numbered(10_001, (n) => ({ msg: `m${n}` }))));
    expect(stages.takeSummaries(0)).toMatchObject([{ repeated: 1, msg: 'repeated once within 10s: first' }]);
  });
});

describe('fields', () => {
  test.each([
    ['{"level":30,"msg":"x"}', '{"level":30,"msg":"x","team":"a","n":1}'],
    ['{"level":30,"team":{"x":[1]},"msg":"x"}', '{"level":30,"msg":"x","team":"a","n":1}'],
    [String.raw`{"level":30,"te\u0061m":1}`, '{"level":30,"team":"a","n":1}'],
    ['{}', '{"team":"a","n":1}'],
  ])('%s', (before, after) => {
    const batch = createBatch(Buffer.from(`${before}\n`), { logId: 'l', seq: 1 });
    const stages = compileStages({ fields: { team: 'a', n: 1 } }, {});
    expect(stages.process(batch).batch.line(0).toString()).toBe(after);
  });
});

test('the stages act in their order, and lines keep their numbers and levels', () => {
  const config: StageConfig = {
    sample: { rate: 0, keep: 'keep=true' },
    dedupe: { windowMs: 1_000, by: ['msg'], summary: true },
    rateLimit: { records: 2, perMs: 1_000, by: [] },
    redact: { paths: [], keys: ['token'], detectors: [], censor: '-' },
    fields: { token: 'of the stream' },
    format: 'logfmt',
  };
  const stages = compileStages(config, { redact: { paths: ['mail'], keys: [], detectors: [], censor: 'X' } });
  const records = [
    { keep: false },
    { keep: true, msg: 'a', mail: 'm', token: 't', x: { token: 't' } },
    { keep: true, msg: 'a' },
    { keep: true, msg: 'b', level: 50 },
    { keep: true, msg: 'c' },
  ];
  const { batch, dropped } = stages.process(batchOf(records, 11));
  expect(dropped).toEqual({ sample: 1, dedupe: 1, 'rate-limit': 1 });
  expect([batch.seq(0), batch.seq(1)]).toEqual([12, 14]);
  expect([...batch.levels]).toEqual([30, 50]);
  expect(batch.position).toEqual({ logId: 'l', seq: 15 });
  expect(batch.line(0).toString()).toBe(
    'time=2025-10-09T08:53:20.000Z level=info msg=a keep=true mail=X x.token=- token="of the stream"',
  );
});

test('a batch that no stage changes is the same batch, whose records are parsed once for all', () => {
  const batch = batchOf([{ a: 1 }]);
  const redact = { paths: ['b'], keys: [], detectors: ['email' as const], censor: '-' };
  expect(
    compileStages({ redact, rateLimit: { records: 9, perMs: 1, by: [] } }, {}).process(batch).batch,
  ).toBe(batch);
});

describe('a line that the stages can’t handle', () => {
  const DEPTH = 50_000;
  const deep = `{"level":50,"time":1760000000000,"password":"hunter2","a":${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}}\n`;
  const batch = createBatch(Buffer.from(`{"level":30,"n":1}\n${deep}{"level":30,"n":2}\n`), {
    logId: 'l',
    seq: 1,
  });

  test.each(['ecs', 'otel', 'logfmt'] as const)('goes on without its text, and is counted (%s)', (format) => {
    let failures = 0;
    const redact = { keys: ['password'], paths: [], detectors: [], censor: '***' };
    const staged = compileStages({ redact, format }, {}, (count) => (failures += count)).process(batch);
    const lines = staged.batch.bytes.toString().trimEnd().split('\n');
    expect(lines.length).toBe(3);
    // The whole line would fill the screen.
    expect([lines[1]?.includes('hunter2'), lines[1]?.includes('could not be processed')]).toEqual([
      false,
      true,
    ]);
    expect(failures).toBe(1);
  });

  test('passes a filter that can’t judge it, and is counted', () => {
    let failures = 0;
    const judge = (): boolean => {
      throw new RangeError('Maximum call stack size exceeded');
    };
    const verdicts = Uint8Array.from({ length: 100 }, () => LOOK);
    const gate = new LineGate({ verdicts, judge }, (count) => (failures += count));
    expect(gate.select(batch).count).toBe(3);
    expect(failures).toBe(3);
  });
});

import { createBatch, type Batch } from '@treeline/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Backlog, type LogFrames } from './backlog.ts';
import { compileLineRule } from '../stages/line-rule.ts';
import { LineGate } from './line-gate.ts';

const HINTS = { maxBytes: 40_000, maxRecords: 50, maxDelayMs: 0 };

/** A log in memory whose first records the "segments" hold, in frames of a given size. */
class FakeLog implements LogFrames {
  spilledSeq = 0;
  readonly #lines: string[] = [];
  readonly #frameSize: number;
  readonly #lost: ReadonlySet<number>;
  /** The frames that lie wholly at or before it are gone. */
  overrunSeq = 0;

  constructor(frameSize: number, lost: readonly number[] = []) {
    this.#frameSize = frameSize;
    this.#lost = new Set(lost);
  }

  get lastSeq(): number {
    return this.#lines.length;
  }

  append(levels: readonly number[], padding: number): Batch {
    const firstSeq = this.lastSeq + 1;
    const lines = levels.map((level, index) => {
      return `{"level":${level},"n":${firstSeq + index},"pad":"${'x'.repeat(padding)}"}\n`;
    });
    this.#lines.push(...lines);
    return createBatch(Buffer.from(lines.join('')), { logId: 'log', seq: firstSeq });
  }

  next(seq: number): { firstSeq: number; count: number; bytes: Buffer } | undefined {
    let frame = Math.floor((seq - 1) / this.#frameSize);
    while (this.#lost.has(frame) || (frame + 1) * this.#frameSize <= this.overrunSeq) frame++;
    const firstSeq = frame * this.#frameSize + 1;
    if (firstSeq > this.spilledSeq) return undefined;
    const lines = this.#lines.slice(firstSeq - 1, Math.min(firstSeq - 1 + this.#frameSize, this.spilledSeq));
    return { firstSeq, count: lines.length, bytes: Buffer.from(lines.join('')) };
  }
}

interface Step {
  readonly levels: number[];
  readonly padding: number;
  readonly spill: boolean;
  readonly takes: number;
  readonly newLevel: number | undefined;
}

const step: fc.Arbitrary<Step> = fc.record({
  levels: fc.array(fc.constantFrom(10, 20, 30, 40, 50, 60), { minLength: 1, maxLength: 40 }),
  // Long lines make few of them pass the bound on memory.
  padding: fc.constantFrom(0, 10, 100_000),
  spill: fc.boolean(),
  takes: fc.nat({ max: 3 }),
  newLevel: fc.option(fc.constantFrom(10, 30, 50), { nil: undefined, freq: 4 }),
});

function numbersOf(batch: Batch): number[] {
  return batch.records().map((record) => record['n'] as number);
}

interface SetUp {
  readonly log: FakeLog;
  readonly gate: LineGate;
  readonly backlog: Backlog;
  /** What the backlog found to be lost while it read. */
  readonly lost: { count: number; bytes: number };
}

const ROOT = { rootLevel: 30, directives: [] } as const;
const INFO_AND_ABOVE = { level: 30, maxLevel: undefined, filter: undefined };

function setUp(frameSize: number, lostFrames?: number[]): SetUp {
  const lost = { count: 0, bytes: 0 };
  const log = new FakeLog(frameSize, lostFrames);
  const gate = new LineGate(compileLineRule(INFO_AND_ABOVE, ROOT));
  const backlog = new Backlog({
    logId: 'log',
    hints: HINTS,
    gate,
    frames: log,
    spilledSeq: () => log.spilledSeq,
    takenSeq: 0,
    lost({ count, bytes }) {
      lost.count += count;
      lost.bytes += bytes;
    },
  });
  return { log, gate, backlog, lost };
}

function takeAll(backlog: Backlog): number[] {
  const taken: number[] = [];
  for (let idle = 0; !backlog.isEmpty && idle < 100;) {
    const batch = backlog.take();
    if (batch) taken.push(...numbersOf(batch));
    else idle++;
  }
  return taken;
}

describe('Backlog', () => {
  test('gives each wanted line once and in order, whatever is spilled, and whenever the level changes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 30 }), (steps, frameSize) => {
        const { log, gate, backlog } = setUp(frameSize);
        const wanted: number[] = [];
        const taken: number[] = [];
        let minLevel = 30;
        for (const { levels, padding, spill, takes, newLevel } of steps) {
          if (newLevel !== undefined) {
            minLevel = newLevel;
            gate.setRule(compileLineRule({ ...INFO_AND_ABOVE, level: newLevel }, ROOT), log.lastSeq + 1);
          }
          const firstSeq = log.lastSeq + 1;
          const batch = log.append(levels, padding);
          if (spill) log.spilledSeq = log.lastSeq;
          wanted.push(...levels.flatMap((level, index) => (level >= minLevel ? [firstSeq + index] : [])));
          backlog.push(gate.select(batch), 0);
          for (let index = 0; index < takes; index++)
            taken.push(...numbersOf(backlog.take() ?? batchOfNone()));
        }
        taken.push(...takeAll(backlog));
        expect(taken).toEqual(wanted);
        expect(backlog.isEmpty).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('counts each wanted line as taken, thinned, dropped or lost, whatever the segments lose under it', () => {
    const act = fc.constantFrom('take', 'take', 'overrun', 'thin', 'drop-oldest', 'none');
    const steps = fc.array(fc.tuple(step, act, fc.double({ min: 0, max: 1, noNaN: true })), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 30 }), (all, frameSize) => {
        const { log, gate, backlog, lost } = setUp(frameSize);
        const wanted = { count: 0, bytes: 0 };
        const dropped = { count: 0, bytes: 0 };
        const taken: Batch[] = [];
        for (const [{ levels, padding, spill }, what, share] of all) {
          const batch = gate.select(log.append(levels, padding));
          if (spill) log.spilledSeq = log.lastSeq;
          wanted.count += batch.count;
          wanted.bytes += batch.bytes.length;
          backlog.push(batch, 0);
          let given = { count: 0, bytes: 0 };
          if (what === 'take') taken.push(copyOf(backlog.take() ?? batchOfNone()));
          if (what === 'thin') given = backlog.thin();
          if (what === 'drop-oldest') given = backlog.dropOldest(share * 1_000_000);
          if (what === 'overrun') {
            log.overrunSeq = Math.max(log.overrunSeq, Math.floor(share * log.spilledSeq));
            // Segments end where frames end.
            log.overrunSeq -= log.overrunSeq % frameSize;
            given = backlog.overrun(log.overrunSeq);
          }
          dropped.count += given.count;
          dropped.bytes += given.bytes;
        }
        for (let idle = 0; !backlog.isEmpty && idle < 100;) {
          const batch = backlog.take();
          if (batch) taken.push(copyOf(batch));
          else idle++;
        }
        const numbers = taken.flatMap(numbersOf);
        expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
        expect(numbers.length + dropped.count + lost.count).toBe(wanted.count);
        const bytes = taken.reduce((sum, batch) => sum + batch.bytes.length, 0);
        expect(bytes + dropped.bytes + lost.bytes).toBe(wanted.bytes);
        expect(backlog.isEmpty).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('keeps at most a few megabytes in memory of what the segments hold', () => {
    const { log, gate, backlog } = setUp(10);
    for (let index = 0; index < 300; index++) {
      backlog.push(gate.select(log.append([30], 100_000)), 0);
      log.spilledSeq = log.lastSeq;
    }
    expect(backlog.isLagging).toBe(true);
    expect(backlog.hasRoom).toBe(false);
    expect(takeAll(backlog)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
  });

  test('goes on behind a frame that the segments have lost', () => {
    const { log, gate, backlog, lost: told } = setUp(10, [1]);
    for (let index = 0; index < 100; index++) {
      const batch = log.append([30], 100_000);
      log.spilledSeq = log.lastSeq;
      backlog.push(gate.select(batch), 0);
    }
    const taken = takeAll(backlog);
    const lost = Array.from({ length: 100 }, (_, index) => index + 1).filter((seq) => !taken.includes(seq));
    expect(lost).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    expect(told.count).toBe(10);
  });

  test('thins the least important lines first, and what is left comes in order', () => {
    const { log, gate, backlog } = setUp(7);
    const levels = Array.from({ length: 200 }, (_, index) => (index % 4 === 3 ? 50 : 30));
    for (const level of levels) {
      backlog.push(gate.select(log.append([level], 50_000)), 0);
      log.spilledSeq = log.lastSeq;
    }
    const dropped = backlog.thin();
    expect(dropped.count).toBe(150);
    expect(takeAll(backlog)).toEqual(levels.flatMap((level, index) => (level === 50 ? [index + 1] : [])));
  });

  test('drops the oldest lines, from memory and from the segments alike', () => {
    for (const spill of [true, false]) {
      const { log, gate, backlog } = setUp(7);
      for (let index = 0; index < 100; index++) {
        backlog.push(gate.select(log.append([60], 100_000)), 0);
        if (spill) log.spilledSeq = log.lastSeq;
      }
      const { count, bytes } = backlog.dropOldest(3_000_000);
      expect(bytes).toBeGreaterThanOrEqual(3_000_000);
      expect(backlog.firstWaitingSeq).toBe(count + 1);
      expect(takeAll(backlog)).toEqual(Array.from({ length: 100 - count }, (_, index) => count + 1 + index));
    }
  });
});

/** The backlog uses its memory again. */
function copyOf(batch: Batch): Batch {
  return createBatch(Buffer.from(batch.bytes), batch.position && { logId: 'log', seq: batch.seq(0) });
}

function batchOfNone(): Batch {
  return createBatch(Buffer.alloc(0), { logId: 'log', seq: 1 });
}

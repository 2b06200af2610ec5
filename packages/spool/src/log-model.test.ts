import {
  array,
  assert as assertProperty,
  asyncProperty,
  boolean,
  constant,
  constantFrom,
  double,
  integer,
  nat,
  oneof,
  property,
  record,
  tuple,
  type Arbitrary,
} from 'fast-check';
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { adoptLogs } from './adoption.ts';
import { openCursors } from './cursors.ts';
import { openLogReader, type Damage, type LogReader } from './log-reader.ts';
import { createLog, type AppendOutcome } from './log-writer.ts';
import { listSegments } from './segment-files.ts';
import { FRAME_HEADER_BYTES } from './segment.ts';

// The spool against a trivial log: an array of lines. Every operation happens to both; what a reader is handed must be what the array
// holds, and what it is not handed must be what it was told of.

const root = mkdtempSync(join(tmpdir(), 'spool-model-'));
afterAll(() => rmSync(root, { recursive: true }));

type Operation =
  | { readonly do: 'append'; readonly lengths: readonly number[]; readonly gap: number }
  | {
      readonly do: 'append-fails';
      readonly lengths: readonly number[];
      readonly after: number;
      readonly code: string;
    }
  | { readonly do: 'short-write'; readonly lengths: readonly number[]; readonly after: number }
  | { readonly do: 'read'; readonly runs: number }
  | { readonly do: 'seek'; readonly to: number }
  | { readonly do: 'acknowledge'; readonly upTo: number }
  | { readonly do: 'give-up' };

const lengths = array(oneof(nat(60), nat(1500)), { minLength: 1, maxLength: 6 });
const share = double({ min: 0, max: 1, noNaN: true });
const operation: Arbitrary<Operation> = oneof(
  {
    weight: 6,
    arbitrary: record({ do: constant('append'), lengths, gap: constantFrom(0, 0, 0, 5) }),
  },
  {
    weight: 1,
    arbitrary: record({
      do: constant('append-fails'),
      lengths,
      after: nat(400),
      code: constantFrom('ENOSPC', 'EIO'),
    }),
  },
  { weight: 1, arbitrary: record({ do: constant('short-write'), lengths, after: nat(400) }) },
  { weight: 4, arbitrary: record({ do: constant('read'), runs: nat(5) }) },
  { weight: 1, arbitrary: record({ do: constant('seek'), to: share }) },
  { weight: 2, arbitrary: record({ do: constant('acknowledge'), upTo: share }) },
  { weight: 1, arbitrary: record({ do: constant('give-up') }) },
);

interface ModelFrame {
  readonly seqs: readonly number[];
  readonly segment: string;
  readonly start: number;
  readonly end: number;
}

interface Line {
  readonly seq: number;
  readonly text: string;
}

class Model {
  readonly lines: Line[] = [];
  readonly frames: ModelFrame[] = [];
  readonly damage: Damage[] = [];
  nextSeq = 0;
  acknowledged = -1;
  nextWrite: { after: number; code?: string } | undefined;
  readonly log = createLog({
    stateDirectory: root,
    service: 'model',
    segmentBytes: 4096,
    maxBytes: 40_000,
    write: (fd, bytes, offset, length) => this.#write(fd, bytes, offset, length),
  });
  readonly reader: LogReader = openLogReader(this.log.directory, {
    follow: true,
    onDamage: (damage) => this.damage.push(damage),
  });
  readAt = 0;

  append(sizes: readonly number[]): AppendOutcome {
    const added = sizes.map((size, index) => {
      const seq = this.nextSeq + index;
      return { seq, text: `{"level":30,"seq":${seq},"msg":"${'é'.repeat(size)}"}\n` };
    });
    const text = added.map((line) => line.text).join('');
    const payload = this.nextSeq % 2 === 0 ? text : Buffer.from(text);
    const outcome = this.log.append(this.nextSeq, added.length, payload);
    if (outcome !== 'appended') return outcome;
    this.lines.push(...added);
    this.nextSeq += added.length;
    const segment = listSegments(this.log.directory, this.log.logId).at(-1);
    if (segment === undefined) throw new Error('an appended frame has no segment');
    const start = segment.bytes - Buffer.byteLength(text) - FRAME_HEADER_BYTES;
    this.frames.push({ seqs: added.map(({ seq }) => seq), segment: segment.path, start, end: segment.bytes });
    return outcome;
  }

  readRun(): boolean {
    const next = this.reader.next();
    const expected = this.lines.filter(({ seq }) => seq >= this.readAt);
    if (next === undefined) {
      assert.deepEqual(expected, []);
      return false;
    }
    const got = splitRun(next.firstSeq, next.bytes);
    assert.equal(got.length, next.count);
    assert.deepEqual(got, expected.slice(0, next.count));
    this.readAt = next.firstSeq + next.count;
    return true;
  }

  seek(to: number): void {
    // Before what is acknowledged the log promises nothing.
    this.readAt = this.acknowledged + 1 + Math.floor(to * (this.nextSeq - this.acknowledged - 1));
    this.reader.seek(this.readAt);
  }

  acknowledge(upTo: number): void {
    this.acknowledged = Math.max(this.acknowledged, Math.floor(upTo * this.readAt) - 1);
    const before = this.log.bytes;
    const freed = this.log.releaseUpTo(this.acknowledged);
    assert.equal(this.log.bytes, before - freed);
  }

  /** What the oldest segment held is as good as acknowledged, whether or not anybody had it. */
  giveUp(): void {
    const lastSeq = this.log.dropOldestSegment();
    if (lastSeq === undefined) return;
    this.acknowledged = Math.max(this.acknowledged, lastSeq);
    if (this.readAt > lastSeq) return;
    this.readAt = lastSeq + 1;
    this.reader.seek(this.readAt);
  }

  checkBytes(): void {
    const sizes = listSegments(this.log.directory, this.log.logId).map(({ bytes }) => bytes);
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      this.log.bytes,
    );
    assert.ok(this.log.bytes <= 40_000);
  }

  #write(fd: number, bytes: Buffer, offset: number, length: number): number {
    const fault = this.nextWrite;
    if (fault === undefined) return writeSync(fd, bytes, offset, length);
    if (fault.after > 0) {
      const taken = writeSync(fd, bytes, offset, Math.min(length, fault.after));
      this.nextWrite = fault.code === undefined || taken === length ? undefined : { ...fault, after: 0 };
      return taken;
    }
    this.nextWrite = undefined;
    if (fault.code === undefined) return writeSync(fd, bytes, offset, length);
    throw Object.assign(new Error(`write refused with ${fault.code}`), { code: fault.code });
  }
}

function splitRun(firstSeq: number, bytes: Buffer): Line[] {
  const texts = bytes.toString().match(/[^\n]*\n/g) ?? [];
  return texts.map((text, index) => ({ seq: firstSeq + index, text }));
}

function run(model: Model, operations: readonly Operation[]): void {
  for (const step of operations) {
    switch (step.do) {
      case 'append': {
        model.nextSeq += step.gap;
        const outcome = model.append(step.lengths);
        assert.ok(outcome === 'appended' || outcome === 'full');
        break;
      }
      case 'append-fails': {
        model.nextWrite = { after: step.after, code: step.code };
        const outcome = model.append(step.lengths);
        const expected = step.code === 'ENOSPC' ? 'no-space' : 'io-error';
        // The fault may not have come to bear: the log was full, or the write smaller than what the disk still took.
        if (model.nextWrite === undefined && outcome !== 'appended') assert.equal(outcome, expected);
        model.nextWrite = undefined;
        break;
      }
      case 'short-write':
        model.nextWrite = { after: step.after };
        assert.ok(['appended', 'full'].includes(model.append(step.lengths)));
        model.nextWrite = undefined;
        break;
      case 'read':
        for (let runs = 0; runs < step.runs && model.readRun(); runs++);
        break;
      case 'seek':
        model.seek(step.to);
        break;
      case 'acknowledge':
        model.acknowledge(step.upTo);
        break;
      case 'give-up':
        model.giveUp();
        break;
    }
    model.checkBytes();
  }
}

function readDead(model: Model, fromSeq: number): { lines: Line[]; damage: Damage[] } {
  const damage: Damage[] = [];
  const lines: Line[] = [];
  const reader = openLogReader(model.log.directory, {
    fromSeq,
    follow: false,
    onDamage: (found) => damage.push(found),
  });
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    lines.push(...splitRun(next.firstSeq, next.bytes));
  }
  reader.close();
  return { lines, damage };
}

/** What is on disk and wanted: whole segments below the acknowledged records may be gone. */
function kept(model: Model): ModelFrame[] {
  const paths = new Set(listSegments(model.log.directory, model.log.logId).map(({ path }) => path));
  return model.frames.filter(
    ({ segment, seqs }) => paths.has(segment) && (seqs.at(-1) ?? -1) > model.acknowledged,
  );
}

const histories = array(operation, { minLength: 1, maxLength: 60 });

test('a log that is written and read at once behaves as an array of lines', () => {
  assertProperty(
    property(histories, (operations) => {
      const model = new Model();
      try {
        run(model, operations);
        while (model.readRun());
        expect(model.damage).toEqual([]);
      } finally {
        model.reader.close();
        model.log.remove();
      }
    }),
    { numRuns: 150 },
  );
});

test('a log cut at any byte of its last segment keeps every frame before the cut', () => {
  assertProperty(
    property(histories, share, (operations, cutAt) => {
      const model = new Model();
      try {
        run(model, operations);
        model.reader.close();
        const last = listSegments(model.log.directory, model.log.logId).at(-1);
        if (last === undefined) return;
        const cut = Math.floor(cutAt * last.bytes);
        truncateSync(last.path, cut);
        const left = kept(model).filter(({ segment, end }) => segment !== last.path || end <= cut);
        const seqs = new Set(left.flatMap((frame) => frame.seqs));
        const { lines, damage } = readDead(model, model.acknowledged + 1);
        expect(lines).toEqual(model.lines.filter(({ seq }) => seqs.has(seq) && seq > model.acknowledged));
        const whole = Math.max(
          64,
          ...model.frames.filter((f) => f.segment === last.path && f.end <= cut).map((f) => f.end),
        );
        const torn = cut < 64 ? cut : cut - whole;
        expect(damage.reduce((sum, found) => sum + found.bytes, 0)).toBe(torn);
        expect(damage.every(({ reason, records }) => reason === 'torn' && records === 0)).toBe(true);
      } finally {
        model.log.remove();
      }
    }),
    { numRuns: 150 },
  );
});

test('flipped bytes cost the frames that they are in, and these are counted', () => {
  assertProperty(
    property(
      histories,
      array(tuple(share, integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
      (operations, flips) => {
        const model = new Model();
        try {
          run(model, operations);
          model.reader.close();
          const frames = kept(model);
          const hit = new Set<ModelFrame>();
          for (const [where, mask] of flips) {
            const frame = frames[Math.floor(where * (frames.length - 1))];
            if (frame === undefined || hit.has(frame)) continue;
            hit.add(frame);
            const bytes = readFileSync(frame.segment);
            const at = frame.start + Math.floor(((where * 997) % 1) * (frame.end - frame.start));
            bytes[at] = (bytes[at] ?? 0) ^ mask;
            writeFileSync(frame.segment, bytes);
          }
          const { lines, damage } = readDead(model, model.acknowledged + 1);
          const lost = new Set([...hit].flatMap(({ seqs }) => seqs));
          const wanted = frames.flatMap(({ seqs }) => seqs).filter((seq) => seq > model.acknowledged);
          expect(lines.map(({ seq }) => seq)).toEqual(wanted.filter((seq) => !lost.has(seq)));
          // Behind the last intact frame a damaged header leaves nothing to count by.
          const lastRead = lines.at(-1)?.seq ?? -1;
          const counted = wanted.filter((seq) => lost.has(seq) && seq <= lastRead).length;
          const told = damage
            .filter(({ fromSeq }) => fromSeq <= lastRead)
            .reduce((sum, { records }) => sum + records, 0);
          // A damaged header does not say which of its records were acknowledged already.
          const straddling = [...hit].find(({ seqs }) => seqs.includes(model.acknowledged));
          const unsure = straddling?.seqs.filter((seq) => seq <= model.acknowledged).length ?? 0;
          expect(told).toBeGreaterThanOrEqual(counted);
          expect(told).toBeLessThanOrEqual(counted + unsure);
          expect(damage.length > 0).toBe(wanted.some((seq) => lost.has(seq)));
        } finally {
          model.log.remove();
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('whoever adopts the log of a dead process gets every line behind its cursor, however many adopters die over it', async () => {
  const adopter = record({ runs: nat(6), isCursorTorn: boolean() });
  await assertProperty(
    asyncProperty(
      histories,
      array(adopter, { maxLength: 4 }),
      nat(100),
      async (operations, adopters, torn) => {
        const model = new Model();
        run(model, operations);
        model.reader.close();
        const [segment] = listSegments(model.log.directory, model.log.logId).slice(-1);
        if (segment === undefined) return;
        const cursors = openCursors(model.log.directory);
        cursors.set('stream', { seq: model.acknowledged, counters: {} });
        cursors.close();
        // An append that never returned.
        appendFileSync(segment.path, Buffer.alloc(torn, 'x'));
        model.log.close();

        let cursor = model.acknowledged;
        for (const { runs, isCursorTorn } of [...adopters, { runs: Infinity, isCursorTorn: false }]) {
          const { logs } = await adoptLogs({ stateDirectory: root, service: 'model' });
          const [log] = logs;
          assert.ok(log !== undefined && logs.length === 1);
          assert.equal(log.cursors.streams.get('stream')?.seq, cursor);
          const taken: Line[] = [];
          const reader = openLogReader(log.directory, {
            fromSeq: cursor + 1,
            follow: false,
            onDamage: ({ reason }) => assert.equal(reason, 'torn'),
          });
          for (let read = 0; read < runs; read++) {
            const next = reader.next();
            if (next === undefined) break;
            taken.push(...splitRun(next.firstSeq, next.bytes));
          }
          reader.close();
          const wanted = model.lines.filter(({ seq }) => seq > cursor);
          assert.deepEqual(taken, wanted.slice(0, taken.length));
          if (runs === Infinity) {
            assert.equal(taken.length, wanted.length);
            log.remove();
            return;
          }
          cursor = saveCursor(log.directory, taken.at(-1)?.seq ?? cursor, isCursorTorn) ?? cursor;
          log.releaseUpTo(cursor);
          log.close();
        }
      },
    ),
    { numRuns: 100 },
  );
});

/** Moves the cursor, or dies while it does; returns it where it has been written. */
function saveCursor(directory: string, seq: number, isTorn: boolean): number | undefined {
  const path = join(directory, 'cursors');
  const before = readFileSync(path);
  const cursors = openCursors(directory);
  cursors.set('stream', { seq, counters: {} });
  cursors.close();
  if (!isTorn) return seq;
  // Of the bytes that were to change only the first have.
  const after = readFileSync(path);
  const changed = after.findIndex((byte, at) => byte !== before[at]);
  if (changed !== -1)
    writeFileSync(path, Buffer.concat([after.subarray(0, changed + 1), before.subarray(changed + 1)]));
  return undefined;
}

test('the model sees a segment file grow with every frame', () => {
  const model = new Model();
  model.append([10]);
  const frame = model.frames[0];
  expect(frame && statSync(frame.segment).size).toBe(frame?.end);
  model.reader.close();
  model.log.remove();
});

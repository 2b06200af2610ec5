import fs from 'node:fs';
import os from 'node:os';
import { basename, join } from 'node:path';
import { createBatch, selectLines, TreelineError, type Sink, type SinkEvent } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { createIndexes } from './indexes.ts';
import type { SqliteOptions } from './options.ts';
import { openSqliteSink } from './sink.ts';
import { openLogReader, openLogStore } from './store.ts';
import { walBytes } from './wal.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-sink-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

let files = 0;
let path = '';
let events: SinkEvent[] = [];
beforeEach(() => {
  path = join(folder, `${files++}.db`);
  events = [];
});

function open(streamName = 'store', options: Partial<SqliteOptions> = {}): Promise<Sink> {
  return openSqliteSink(
    { path, synchronous: 'normal', indexes: [], fullText: false, ...options },
    { streamName, report: (event) => events.push(event) },
  );
}

function messages(): (string | null)[] {
  const reader = openLogReader(path);
  const found = [...reader.iterate({ order: 'asc' })].map((row) => row.msg);
  reader.close();
  return found;
}

const records = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => record(from + index));

describe('position', () => {
  test('is stored with the rows and given back after reopening', async () => {
    let sink = await open();
    expect(sink.settledSeq?.('log-a')).toBeUndefined();
    await sink.write(createBatch(lines(records(0, 3)), { logId: 'log-a', seq: 10 }));
    await sink.close();
    sink = await open();
    expect(sink.settledSeq?.('log-a')).toBe(12);
    expect(sink.settledSeq?.('log-b')).toBeUndefined();
    await sink.close();
  });

  test('keeps lines that were committed from being written again', async () => {
    const sink = await open();
    await sink.write(createBatch(lines(records(0, 3)), { logId: 'log-a', seq: 1 }));
    await sink.write(createBatch(lines(records(0, 5)), { logId: 'log-a', seq: 1 }));
    await sink.close();
    expect(messages()).toEqual(['record 0', 'record 1', 'record 2', 'record 3', 'record 4']);
  });

  test('settles what a filter left out behind the last line', async () => {
    const sink = await open();
    const batch = createBatch(lines(records(0, 4)), { logId: 'log-a', seq: 1 });
    await sink.write(selectLines(batch, [0, 1]));
    expect(sink.settledSeq?.('log-a')).toBe(4);
    await sink.close();
  });

  test('is forgotten when nobody has written from its log for three months', async () => {
    await (await open()).close();
    const store = openLogStore(path);
    store.meta.set('position:store:old', `5 ${Date.now() - 91 * 86_400_000}`);
    store.meta.set('position:store:new', `6 ${Date.now() - 89 * 86_400_000}`);
    store.close();
    const sink = await open();
    expect([sink.settledSeq?.('old'), sink.settledSeq?.('new')]).toEqual([undefined, 6]);
    await sink.close();
  });

  test('is kept apart for two streams that write into one store', async () => {
    const sinks = [await open('all'), await open('errors')];
    await sinks[0]?.write(createBatch(lines(records(0, 2)), { logId: 'log-a', seq: 1 }));
    expect(sinks[1]?.settledSeq?.('log-a')).toBeUndefined();
    for (const sink of sinks) await sink.close();
  });
});

describe('a row that SQLite refuses', () => {
  const refuse = (how: string): void => {
    const db = new BetterSqlite3(path);
    db.exec(
      `CREATE TRIGGER poison BEFORE INSERT ON logs WHEN new.msg = 'record 2' BEGIN SELECT RAISE(${how}, 'poisoned'); END`,
    );
    db.close();
  };

  test.each(['FAIL', 'ABORT', 'ROLLBACK'])(
    'is named as dead and the others are written (%s)',
    async (how) => {
      const sink = await open();
      refuse(how);
      const result = await sink.write(createBatch(lines(records(0, 5)), { logId: 'log-a', seq: 1 }));
      expect(result).toEqual({ dead: [{ index: 2, reason: 'poisoned' }] });
      expect(sink.settledSeq?.('log-a')).toBe(5);
      await sink.close();
      expect(messages()).toEqual(['record 0', 'record 1', 'record 3', 'record 4']);
    },
  );
});

test('a line that is not JSON becomes a row with its text as message', async () => {
  const sink = await open();
  const texts = ['plain text', '{"level":30, broken', '{"level":30}x', '{"a":1 "b":2}', '[1]', '"text"', '7'];
  await sink.write(createBatch(Buffer.from(texts.map((text) => `${text}\n`).join(''))));
  await sink.close();
  expect(messages()).toEqual(texts);
});

test('keys that stand twice are mended as JavaScript reads them, and counted', async () => {
  const sink = await open();
  const twice = [
    '{"level":30,"time":1760000000000,"a":1,"a":2,"msg":"x"}',
    '{"level":30,"time":1760000000000,"level":"gold","time":5,"msg":"x"}',
    '{"level":30,"time":1760000000000,"nested":{"b":[{"c":1,"c":1e400}]},"msg":"x"}',
    '{"a":1,"a":2}',
  ];
  await sink.write(createBatch(Buffer.from(twice.map((line) => `${line}\n`).join(''))));
  await sink.close();
  const reader = openLogReader(path);
  expect(reader.queryLogs({ order: 'asc' }).map((row) => row.line)).toEqual([
    '{"level":30,"time":1760000000000,"a":2,"msg":"x"}',
    '{"level":30,"time":1760000000000,"msg":"x"}',
    '{"level":30,"time":1760000000000,"nested":{"b":[{"c":1e999}]},"msg":"x"}',
    '{"a":2}',
  ]);
  expect(reader.meta.get('mended_duplicate_keys')).toBe('4');
  reader.close();
});

test('nesting over 500 is kept as text, and counted', async () => {
  const sink = await open();
  const deep = (depth: number): string => `${'{"k":'.repeat(depth - 1)}[1,2]${'}'.repeat(depth - 1)}`;
  const line = (depth: number): string => `{"level":30,"time":1760000000000,"deep":${deep(depth - 1)}}\n`;
  await sink.write(createBatch(Buffer.from([500, 501, 100_000].map(line).join(''))));
  await sink.close();
  const db = new BetterSqlite3(path);
  // Nothing that SQLite can't read is stored: one such row would fail every query.
  expect(db.prepare("SELECT json_valid(payload), payload ->> 'level' FROM logs").raw().all()).toEqual([
    [1, 30],
    [1, 30],
    [1, 30],
  ]);
  expect(db.prepare('SELECT payload FROM logs ORDER BY id').pluck().get()).toBe(line(500).trim());
  expect(db.prepare("SELECT value FROM meta WHERE key = 'mended_deep_nesting'").pluck().get()).toBe('2');
  db.close();
});

test('counts by minute, level, source and type are kept with the rows', async () => {
  const sink = await open();
  const minute = 1_760_000_040_000;
  const at = (time: number, fields: Record<string, unknown>) => ({ ...record(0, fields), time });
  await sink.write(
    createBatch(
      lines([
        at(minute, { name: 'a' }),
        at(minute + 59_999, { name: 'a' }),
        at(minute + 60_000, { type: 't' }),
      ]),
    ),
  );
  await sink.write(createBatch(lines([at(minute, { name: 'a' })])));
  await sink.close();
  const db = new BetterSqlite3(path);
  expect(db.prepare('SELECT * FROM log_counts').raw().all()).toEqual([
    [minute / 60_000, 30, 'a', 'log', 3],
    [minute / 60_000 + 1, 30, '', 't', 1],
  ]);
  db.close();
});

test('more than a thousand sources in a minute count together, and none is lost', async () => {
  const sink = await open();
  const many = Array.from({ length: 1200 }, (_, index) => ({ ...record(0, { name: `s${index}` }) }));
  await sink.write(createBatch(lines(many)));
  await sink.close();
  const db = new BetterSqlite3(path);
  expect(db.prepare('SELECT count(*), sum(n) FROM log_counts').raw().get()).toEqual([1001, 1200]);
  expect(db.prepare("SELECT n FROM log_counts WHERE source = '*'").pluck().get()).toBe(200);
  db.close();
});

test('another writer is waited for without blocking the thread', async () => {
  const sink = await open();
  const other = new BetterSqlite3(path);
  other.exec('BEGIN IMMEDIATE');
  const written = sink.write(createBatch(lines(records(0, 1))));
  let turns = 0;
  for (const untilMs = performance.now() + 300; performance.now() < untilMs; turns++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(turns).toBeGreaterThan(10);
  expect(messages()).toEqual([]);
  other.exec('COMMIT');
  other.close();
  await written;
  await sink.close();
  expect(messages()).toEqual(['record 0']);
});

test('a store is opened also while another process writes, as soon as that lets go', async () => {
  await (await open()).close();
  const other = new BetterSqlite3(path);
  other.exec('BEGIN IMMEDIATE');
  const opening = open('store', { indexes: ['trace_id'] });
  await new Promise((resolve) => setTimeout(resolve, 50));
  other.exec('COMMIT');
  other.close();
  await (await opening).close();
});

test('two sinks and a store write at the same time and no row is lost', async () => {
  const sinks = [await open('one'), await open('two')];
  const store = openLogStore(path);
  const writing = sinks.map(async (sink, which) => {
    for (let index = 0; index < 20; index++) {
      await sink.write(createBatch(lines(records(0, 500)), { logId: `log-${which}`, seq: 1 + index * 500 }));
    }
  });
  for (let index = 0; index < 100; index++) {
    store.append({ source: 'store' });
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(writing);
  expect(store.count()).toBe(20_100);
  store.close();
  for (const sink of sinks) await sink.close();
});

test('a write after close is refused', async () => {
  const sink = await open();
  await sink.close();
  await expect(sink.write(createBatch(lines(records(0, 1))))).rejects.toMatchObject({ code: 'CLOSED' });
});

describe('a damaged store', () => {
  const damage = (from: number): void => {
    const bytes = fs.readFileSync(path);
    bytes.fill(0xff, from);
    fs.writeFileSync(path, bytes);
  };
  const asides = (): string[] =>
    fs.readdirSync(folder).filter((name) => name.startsWith(`${basename(path)}.corrupt-`));

  test('found when it is opened is set aside, and logging goes on in a new one', async () => {
    const before = await open();
    await before.write(createBatch(lines(records(0, 2000))));
    await before.close();
    damage(100);
    const sink = await open();
    await sink.write(createBatch(lines(records(0, 1))));
    await sink.close();
    expect(messages()).toEqual(['record 0']);
    expect(asides()).toHaveLength(1);
    expect(events[0]?.reason).toMatch(/is damaged .* and was moved to .*\.corrupt-.*\.recover$/);
  });

  test('found while writing is set aside, and what it had settled is not written again', async () => {
    const before = await open();
    await before.write(createBatch(lines(records(0, 2000)), { logId: 'log-a', seq: 1 }));
    await before.close();
    // Behind the pages of the schema: opening does not see it.
    damage(4096 * 12);
    const sink = await open();
    await sink.write(createBatch(lines(records(2000, 4000)), { logId: 'log-a', seq: 2001 }));
    expect(sink.settledSeq?.('log-a')).toBe(4000);
    await sink.close();
    expect(messages()).toHaveLength(2000);
    expect(asides()).toHaveLength(1);
    expect(events.map((event) => event.reason).join('\n')).toMatch(/writing goes on in a new one/);
  });

  test('with any one byte flipped takes new rows, in its place or in a new one, and fails only as a damaged store', async () => {
    const before = await open();
    await before.write(createBatch(lines(records(0, 1500))));
    await before.close();
    const sound = fs.readFileSync(path);
    let random = 11;
    for (let round = 0; round < 40; round++) {
      random = (random * 16_807) % 2_147_483_647;
      const at = random % sound.length;
      const flipped = Buffer.from(sound);
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (random % 8)), at);
      path = join(folder, `${files++}.db`);
      fs.writeFileSync(path, flipped);
      try {
        const sink = await open();
        await sink.write(createBatch(lines([record(99_999)])));
        await sink.close();
        const reader = openLogReader(path);
        const [newest] = reader.queryLogs({ limit: 1, filter: 'msg="record 99999"' });
        expect({ at, newest: newest?.msg }).toEqual({ at, newest: 'record 99999' });
        reader.close();
      } catch (error) {
        if (!(error instanceof TreelineError)) throw error;
        expect({ at, code: error.code }).toEqual({
          at,
          code: expect.stringMatching(/^STORE_(CORRUPT|UNUSABLE)$/) as string,
        });
      }
    }
  });

  test('is refused by openLogStore, which names it', () => {
    openLogStore(path).close();
    damage(100);
    expect(() => openLogStore(path)).toThrow(/is damaged .*move it away.*\.recover/);
    expect(asides()).toEqual([]);
  });
});

test('a store that someone deletes is made anew at the next write, loudly', async () => {
  const sink = await open();
  await sink.write(createBatch(lines(records(0, 1)), { logId: 'log-a', seq: 1 }));
  for (const suffix of ['', '-wal', '-shm']) fs.rmSync(path + suffix);
  await sink.write(createBatch(lines(records(0, 2)), { logId: 'log-a', seq: 1 }));
  await sink.close();
  expect(messages()).toEqual(['record 1']);
  expect(events.map((event) => event.reason)).toEqual([`${path} was moved or deleted; a new one was made`]);
});

test('a reader that holds a transaction open is told of when the write-ahead log has grown', async () => {
  const sink = await open();
  const holder = new BetterSqlite3(path, { readonly: true });
  holder.exec('BEGIN; SELECT count(*) FROM logs');
  const big = lines(Array.from({ length: 500 }, (_, each) => record(each, { text: 'x'.repeat(16_000) })));
  while (events.length === 0) await sink.write(createBatch(big));
  expect(events.map((event) => event.reason)).toEqual([
    expect.stringMatching(/-wal has grown to .*M: something holds a read transaction open/),
  ]);
  holder.close();
  while (walBytes(path) > 16 * 1024 * 1024) await sink.write(createBatch(lines([record(0)])));
  await sink.close();
});

describe('maxBytes', () => {
  test('keeps the store within its size by deleting the oldest rows, counted and told', async () => {
    const maxBytes = 2 * 1024 * 1024;
    const sink = await open('store', { maxBytes });
    const text = 'x'.repeat(1000);
    for (let index = 0; index < 20; index++) {
      await sink.write(
        createBatch(lines(Array.from({ length: 500 }, (_, each) => record(index * 500 + each, { text })))),
      );
    }
    const bytes = (): number => fs.statSync(path).size + walBytes(path);
    while (bytes() > maxBytes) await new Promise((resolve) => setTimeout(resolve, 20));
    await sink.close();
    expect(fs.statSync(path).size).toBeLessThanOrEqual(maxBytes);
    const store = openLogStore(path);
    const evicted = Number(store.meta.get('evicted_rows'));
    for (const { type, reason } of events) {
      expect([type, reason]).toEqual([
        'warning',
        expect.stringMatching(/over maxBytes \(2M\): its oldest rows were deleted/),
      ]);
    }
    // Told at once, and again when the sink was closed: not once for each step.
    expect(events.length).toBeLessThanOrEqual(2);
    expect(events.reduce((sum, { count = 0 }) => sum + count, 0)).toBe(evicted);
    expect(store.count()).toBe(10_000 - evicted);
    expect(store.stats().count).toBe(10_000 - evicted);
    expect(store.queryLogs({ order: 'asc', limit: 1 })[0]?.msg).toBe(`record ${evicted}`);
    // The way that was opened for these rows is closed again.
    expect(() => store.deleteArchived([evicted + 1])).toThrow(/append-only/);
    store.close();
  });
});

test('maxBytes bounds a store also while much is written', async () => {
  const maxBytes = 2 * 1024 * 1024;
  const sink = await open('store', { maxBytes });
  const batch = lines(Array.from({ length: 1000 }, (_, each) => record(each, { text: 'x'.repeat(200) })));
  let most = 0;
  for (let index = 0; index < 40; index++) {
    await sink.write(createBatch(batch));
    await new Promise((resolve) => setTimeout(resolve, 50));
    most = Math.max(most, fs.statSync(path).size + walBytes(path));
  }
  await sink.close();
  // 40 000 rows are some 18 MB.
  expect(most).toBeLessThan(3 * maxBytes);
});

describe('indexes', () => {
  const names = (): unknown[] => {
    const db = new BetterSqlite3(path);
    const found = db
      .prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'logs_by:%' ORDER BY 1")
      .pluck()
      .all();
    db.close();
    return found;
  };

  test('are made in a store with few rows', async () => {
    await (await open()).close();
    const sink = await open('store', { indexes: ['trace_id', 'req.status'] });
    await sink.write(createBatch(lines(records(0, 10))));
    await sink.close();
    expect(names()).toEqual(['logs_by:req.status', 'logs_by:trace_id']);
  });

  test('that are missing in a store with many rows are told of, and made by createIndexes', async () => {
    const before = await open();
    await before.write(createBatch(lines(records(0, 50_002))));
    await before.close();
    const sink = await open('store', { indexes: ['trace_id'] });
    expect(events[0]?.reason).toMatch(/too many rows for the indexes trace_id/);
    await sink.close();
    expect(names()).toEqual([]);
    createIndexes(path, ['trace_id']);
    expect(names()).toEqual(['logs_by:trace_id']);
  });
});

import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createBatch } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import { compileFilter } from '@treeline/query';
import BetterSqlite3 from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFullText, fullTextUpto, indexNextTexts, lookUpText } from './full-text.ts';
import { openSqliteSink } from './sink.ts';
import { openLogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-text-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

let files = 0;
let path = '';
beforeEach(() => {
  path = join(folder, `${files++}.db`);
});

function indexAll(): void {
  const db = new BetterSqlite3(path);
  createFullText(db);
  while (indexNextTexts(db));
  db.close();
}

const piece = fc.oneof(
  fc.constantFrom(
    'timeout',
    'TimeOut ',
    'ÄÖü',
    'äöÜ',
    '😀😀😀',
    'K',
    'kk',
    '"',
    '%_',
    '\\',
    'a\u0000bc',
    '\ud800',
    'no such',
    ' ',
  ),
  fc.string({ unit: 'grapheme', maxLength: 5 }),
);
const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''));
/** What is looked for stands in one of the messages, or would. */
const needle = fc.oneof(
  piece,
  fc
    .tuple(text, fc.nat({ max: 20 }), fc.nat({ max: 12 }))
    .map(([from, start, length]) => from.substr(start, length)),
);

test('with a full-text index over some of the rows, text finds what it finds without', () => {
  fc.assert(
    fc.property(
      fc.array(text, { minLength: 1, maxLength: 12 }),
      fc.array(text, { maxLength: 6 }),
      fc.array(needle, { minLength: 1, maxLength: 12 }),
      (before, behind, needles) => {
        path = join(folder, `${files++}.db`);
        const store = openLogStore(path);
        const entries = (messages: readonly string[]) =>
          messages.map((msg, index) => ({ source: 's', ts: 1_760_000_000_000 + index, msg }));
        store.append(entries(before));
        indexAll();
        store.append(entries(behind));
        const all = [...before, ...behind];
        for (const each of [...needles, ...needles.map((one) => one.toUpperCase())]) {
          const holds = compileFilter({ kind: 'text', scope: 'msg', text: each }, { nowMs: 0, utc: true });
          const expected = all.flatMap((msg, index) => (holds({ level: 30, msg }) ? [index + 1] : []));
          const found = store.queryLogs({ text: each }).map((row) => row.id);
          expect({ each, found: found.toSorted((a, b) => a - b) }).toEqual({ each, found: expected });
        }
        store.close();
      },
    ),
    { numRuns: 60 },
  );
});

describe('a full-text index', () => {
  test('is asked for what is rare, and left alone for what is frequent or too short', () => {
    const store = openLogStore(path);
    store.append(
      Array.from({ length: 6000 }, (_, n) => ({ source: 's', msg: n === 17 ? 'needle here' : 'hay here' })),
    );
    indexAll();
    const db = new BetterSqlite3(path);
    expect(lookUpText(db, 'needle')).toEqual({ match: '"nee" AND "eed" AND "edl" AND "dle"', upto: 6000 });
    expect(lookUpText(db, 'here')).toBeUndefined();
    expect(lookUpText(db, 'ee')).toBeUndefined();
    db.close();
    expect(store.queryLogs({ filter: 'NEEDLE level>=info -hay' }).map((row) => row.id)).toEqual([18]);
    expect(store.queryLogs({ filter: 'msg~needle source=s' })).toHaveLength(1);
    expect(store.count({ text: 'needle' })).toBe(1);
    expect([...store.table({ query: 'needle | count by source' })]).toEqual([{ source: 's', count: 1 }]);
    expect(store.queryLogs({ filter: '-needle', limit: 10_000 })).toHaveLength(5999);
    store.close();
  });

  test('forgets the rows that an archive deletes', () => {
    const store = openLogStore(path);
    store.append(Array.from({ length: 4 }, (_, n) => ({ source: 's', msg: `needle ${n}` })));
    indexAll();
    store.meta.set('archive_delete_upto', '2');
    store.deleteArchived([1, 2]);
    const db = new BetterSqlite3(path);
    const found = db
      .prepare<[], number>('SELECT rowid FROM logs_text WHERE logs_text MATCH \'"nee"\'')
      .pluck()
      .all();
    expect(found).toEqual([3, 4]);
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    db.close();
    store.close();
  });

  test('is built behind the rows by the transport, also over those that were there before', async () => {
    const store = openLogStore(path);
    store.append({ source: 's', msg: 'was there' });
    const sink = await openSqliteSink(
      { path, synchronous: 'normal', indexes: [], fullText: true },
      { streamName: 'store', report: () => undefined },
    );
    await sink.write(createBatch(lines(Array.from({ length: 5000 }, (_, n) => record(n)))));
    const db = new BetterSqlite3(path, { readonly: true });
    await vi.waitFor(() => expect(fullTextUpto(db)).toBe(5001), { timeout: 10_000 });
    db.close();
    expect(store.queryLogs({ text: 'was there' }).map((row) => row.id)).toEqual([1]);
    expect(store.queryLogs({ text: 'record 4999' })).toHaveLength(1);
    await sink.close();
    store.close();
  });
});

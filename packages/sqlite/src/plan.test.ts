import { afterAll, describe, expect, test } from 'vitest';
import { openDatabase } from './database.ts';
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createIndex } from './indexes.ts';
import { checkQuery, type LogQuery } from './log-query.ts';
import { planOf } from './plan.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-plan-'));
const db = openDatabase(join(folder, 'logs.db'), { busyTimeoutMs: 50 });
const fill = db.prepare(
  `INSERT INTO logs (source, type, ref_id, ts, level, payload)
   VALUES ('busy', 'log', 'common', ?, 30, '{"req":{"status":200}}')`,
);
db.transaction(() => {
  for (let ts = 0; ts < 5000; ts++) fill.run(ts);
})();
createIndex(db, 'trace_id');
createIndex(db, 'req.status');
afterAll(() => {
  db.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

describe('planOf', () => {
  test.each<[LogQuery, string, number]>([
    [{}, 'logs_ts', 0],
    [{ refId: 'r' }, 'logs_ref_id', 0],
    [{ refId: 'common' }, 'logs_ts', 1],
    [{ refId: 'common', since: 4000 }, 'logs_ref_id', 0],
    [{ filter: 'req.status=200' }, 'logs_ts', 1],
    [{ filter: 'req.status=200 ref=r' }, 'logs_ref_id', 1],
    [{ source: 'a', type: 'b', level: 'error' }, 'logs_source_type', 1],
    [{ source: 'a' }, 'logs_source_type', 0],
    [{ source: 'busy' }, 'logs_ts', 1],
    [{ level: 'error' }, 'logs_errors', 0],
    [{ level: 'fatal' }, 'logs_errors', 1],
    [{ level: 'warn' }, 'logs_ts', 1],
    [{ filter: 'source=a type=b' }, 'logs_source_type', 0],
    [{ filter: 'level>=error' }, 'logs_errors', 0],
    [{ filter: 'level:error..fatal' }, 'logs_errors', 1],
    [{ filter: 'ref=r timeout' }, 'logs_ref_id', 1],
    [{ filter: 'ref=r or ref=s' }, 'logs_ts', 1],
    [{ filter: '-ref=r' }, 'logs_ts', 1],
    [{ filter: 'ref?=r' }, 'logs_ts', 1],
    [{ filter: 'trace=ab' }, '"logs_by:trace_id"', 1],
    [{ filter: 'req.status=500' }, '"logs_by:req.status"', 1],
    [{ filter: 'req.status>=500' }, 'logs_ts', 1],
    [{ filter: 'req.status=0.5' }, 'logs_ts', 1],
    [{ filter: 'req.other=500' }, 'logs_ts', 1],
    [{ filter: '"req.status"=500' }, 'logs_ts', 1],
  ])('%j walks along %s', (query, index, residual) => {
    const plan = planOf(db, checkQuery(query));
    expect([plan.index, plan.residual.length]).toEqual([index, residual]);
  });

  test('times of a filter bound the walk', () => {
    const query = checkQuery({ filter: 'since:2026-03-04 until:2026-03-05 time>=2026-03-04T05', utc: true });
    expect([query.sinceMs, query.untilMs]).toEqual([Date.UTC(2026, 2, 4, 5), Date.UTC(2026, 2, 5)]);
    expect(query.filter).toBeUndefined();
  });
});

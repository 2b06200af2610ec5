import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createBatch, type SinkEvent } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, expect, test } from 'vitest';
import { connect } from './connection.ts';
import { Maintenance } from './maintenance.ts';
import { openSqliteSink } from './sink.ts';
import { RESTART_WAL_BYTES, walBytes } from './wal.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-maintenance-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

test('a checkpoint that fails behind committed rows is told of once, and rejects no write', async () => {
  const path = join(folder, 'logs.db');
  const options = { path, synchronous: 'normal', indexes: [], fullText: false } as const;
  const sink = await openSqliteSink(options, { streamName: 's', report: () => undefined });
  const holder = new BetterSqlite3(path, { readonly: true });
  holder.exec('BEGIN; SELECT count(*) FROM logs');
  const big = lines(Array.from({ length: 500 }, (_, each) => record(each, { text: 'x'.repeat(16_000) })));
  while (walBytes(path) < RESTART_WAL_BYTES) await sink.write(createBatch(big));
  const connection = await connect(path, 'normal');
  const full = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
  connection.db.pragma = () => {
    throw full;
  };
  const events: SinkEvent[] = [];
  const maintenance = new Maintenance(
    () => connection,
    options,
    (event) => events.push(event),
  );
  maintenance.afterWrite();
  maintenance.afterWrite();
  expect(events).toEqual([
    { type: 'warning', reason: `${path}-wal can't be emptied: database or disk is full` },
  ]);
  connection.db.close();
  holder.close();
  await sink.close();
});

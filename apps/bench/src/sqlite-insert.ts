import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { createLogger } from '@treeline/core';
import { openLogStore } from '@treeline/sqlite';
import BetterSqlite3 from 'better-sqlite3';
import { pino, type Logger } from 'pino';
import { formatRate, median, numberArgument, printHeader, printTable } from './report.ts';
import { sample, sampleLine } from './sample.ts';

/*
 * From `info()` to the committed row in a burst, against better-sqlite3 alone with the same table, indexes, counts and settings, in
 * transactions of 10 000. "rows prepared" has its parameters made before the clock starts, which no program has; "rows made" makes the
 * line and reads the columns from the object that it has at hand, in the same thread.
 */

const BATCH = 10_000;
const INSERT =
  'INSERT INTO logs (source, type, ref_id, ts, level, msg, payload) VALUES (?, ?, ?, ?, ?, ?, ?)';

interface Run {
  readonly rows: number;
  readonly ms: number;
}

type Contender = (path: string, rows: number) => Promise<Run> | Run;

function openRaw(path: string): BetterSqlite3.Database {
  openLogStore(path).close();
  const db = new BetterSqlite3(path);
  db.exec('PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32000');
  return db;
}

function rowOf(line: string): unknown[] {
  const record = JSON.parse(line) as Record<string, unknown>;
  return [
    record.name,
    record.type,
    record.ref_id ?? null,
    record.time,
    record.level,
    record.msg,
    line.trimEnd(),
  ];
}

function rawPrepared(path: string, count: number): Run {
  const db = openRaw(path);
  const insert = db.prepare(INSERT);
  let ms = 0;
  for (let from = 0; from < count; from += BATCH) {
    const rows = Array.from({ length: BATCH }, (_, index) => rowOf(sampleLine(from + index, Date.now())));
    const beganMs = performance.now();
    db.exec('BEGIN IMMEDIATE');
    for (const row of rows) insert.run(...row);
    db.exec('COMMIT');
    ms += performance.now() - beganMs;
  }
  db.close();
  return { rows: count, ms };
}

const LEVEL_NUMBERS = { debug: 20, info: 30, warn: 40, error: 50 };

function rawMade(path: string, count: number): Run {
  const db = openRaw(path);
  const insert = db.prepare(INSERT);
  const beganMs = performance.now();
  for (let from = 0; from < count; from += BATCH) {
    db.exec('BEGIN IMMEDIATE');
    for (let index = from; index < from + BATCH; index++) {
      const { level, fields, msg } = sample(index);
      const time = Date.now();
      const number = LEVEL_NUMBERS[level];
      const line = JSON.stringify({
        level: number,
        time,
        pid: 4321,
        hostname: 'host-1',
        name: 'gateway',
        ...fields,
        msg,
      });
      insert.run('gateway', fields.type, fields.ref_id ?? null, time, number, msg, line);
    }
    db.exec('COMMIT');
  }
  const ms = performance.now() - beganMs;
  db.close();
  return { rows: count, ms };
}

function logAll(logger: Logger, count: number): void {
  for (let index = 0; index < count; index++) {
    const { level, fields, msg } = sample(index);
    logger[level](fields, msg);
  }
}

async function pinoTarget(path: string, count: number): Promise<Run> {
  const transport = pino.transport({
    target: '@treeline/sqlite',
    options: { path },
  });
  const logger = pino({ name: 'gateway', level: 'debug' }, transport);
  // pino's worker does not keep the process alive.
  const alive = setInterval(() => undefined, 1000);
  await once(transport, 'ready');
  const beganMs = performance.now();
  logAll(logger, count);
  await new Promise<void>((resolve, reject) => {
    logger.flush((error) => (error ? reject(error) : resolve()));
  });
  const ms = performance.now() - beganMs;
  transport.end();
  await once(transport, 'close');
  clearInterval(alive);
  return { rows: count, ms };
}

async function pipeline(path: string, count: number): Promise<Run> {
  const logger = createLogger(
    { level: 'debug', serviceName: 'gateway', streams: [{ name: 'store', type: 'sqlite', path }] },
    { pino: { name: 'gateway' } },
  );
  logger.info('starts the pipeline');
  await logger.flush();
  const beganMs = performance.now();
  logAll(logger, count);
  const result = await logger.flush({ timeoutMs: 600_000 });
  const ms = performance.now() - beganMs;
  if (!result.ok) throw new Error(`flush ended with ${JSON.stringify(result)}`);
  await logger.close();
  return { rows: count, ms };
}

const CONTENDERS: Readonly<Record<string, Contender>> = {
  'better-sqlite3, rows prepared': rawPrepared,
  'better-sqlite3, rows made': rawMade,
  'pino target @treeline/sqlite': pinoTarget,
  'createLogger, one sqlite stream': pipeline,
};

const rows = numberArgument('rows', 300_000);
const rounds = numberArgument('rounds', 3);
const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-bench-'));

printHeader(`${rows} records to committed rows`);
const runs = new Map<string, Run[]>();
for (let round = 0; round < rounds; round++) {
  for (const [name, contender] of Object.entries(CONTENDERS)) {
    const path = join(folder, `${round}-${name.replace(/\W+/g, '-')}.db`);
    const run = await contender(path, rows);
    const store = openLogStore(path);
    const stored = store.count({ source: 'gateway' });
    store.close();
    if (stored < rows) throw new Error(`${name} stored ${stored} of ${rows} records`);
    fs.rmSync(path);
    runs.set(name, [...(runs.get(name) ?? []), run]);
  }
}
fs.rmSync(folder, { recursive: true, force: true });
printTable(
  [...runs].map(([name, each]) => ({
    contender: name,
    'rows/s, median': formatRate(rows, median(each.map((run) => run.ms))),
    runs: each.map((run) => formatRate(run.rows, run.ms)).join(' '),
  })),
);

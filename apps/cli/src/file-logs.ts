import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createBatch, parseLevel, parseOptions } from '@treeline/contract';
import { openFileSource, type FileRequest, type FileRow, type FileSource } from '@treeline/file/source';
import { compileFilter, parseFilter, parseQuery, resolveTime, type TimeOptions } from '@treeline/query';
import sqlite, {
  deriveColumns,
  openLogReader,
  withoutColumns,
  type LogQuery,
  type LogReader,
  type LogRow,
  type TableQuery,
} from '@treeline/sqlite';
import { awaitEndSignal } from './end-signal.ts';
import type { Completion, Logs } from './logs.ts';
import { STORE_NAME } from './query-request.ts';
import { tell } from './terminal.ts';

const SQLITE_MAGIC = 'SQLite format 3\0';

/** Lines that are put into the temporary store at once. */
const STORED_TOGETHER = 10_000;

/** Whether log files are meant, and not a store: a folder, or a file that is not SQLite's, or of which only rotated ones are left. */
export function areFiles(target: string): boolean {
  const stat = fs.statSync(target, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return true;
  if (STORE_NAME.test(target)) return false;
  return stat === undefined ? /\.(?:log|jsonl|ndjson)$/i.test(target) : !startsAsSqlite(target);
}

function startsAsSqlite(file: string): boolean {
  const start = Buffer.alloc(SQLITE_MAGIC.length);
  const fd = fs.openSync(file, 'r');
  try {
    fs.readSync(fd, start, 0, start.length, 0);
  } finally {
    fs.closeSync(fd);
  }
  return start.toString('latin1') === SQLITE_MAGIC;
}

/** Opens a folder of log files, or one log with what was rotated of it, for the same questions as a store. */
export async function openFileLogs(target: string): Promise<Logs> {
  const source = await openFileSource(target, { onWarning: tell });
  return {
    rows: (query) => readRows(source, query),
    async *follow({ after, ...query }, signal) {
      for await (const row of source.follow({ ...requestOf(query), cursor: after }, signal))
        yield toLogRow(source, row);
    },
    table: ({ query, ...conditions }) =>
      inStore(source, selectionOf(query, conditions), (reader, isWhole) => {
        const table = reader.table({ ...conditions, query });
        const { newestOnly, records } = table;
        return {
          rows: [...table],
          complete: table.complete && isWhole,
          ...(newestOnly !== undefined && { newestOnly }),
          ...(records && { records }),
        };
      }),
    stats: (query) =>
      inStore(source, query, (reader, isWhole) => {
        const stats = reader.stats(query);
        return { ...stats, complete: stats.complete && isWhole };
      }),
    close: () => void source.close(),
  };
}

async function* readRows(source: FileSource, query: LogQuery): AsyncGenerator<LogRow, Completion> {
  const { order = 'desc', limit = Infinity, cursor } = query;
  const signal = timeLimit(query);
  const request = { ...requestOf(query), order, limit, cursor, signal };
  for await (const row of source.rows(request)) yield toLogRow(source, row);
  return { complete: !signal?.aborted };
}

function timeLimit({ timeoutMs = Infinity }: LogQuery): AbortSignal | undefined {
  return timeoutMs === Infinity ? undefined : AbortSignal.timeout(Math.ceil(timeoutMs));
}

function requestOf(query: LogQuery): FileRequest {
  const { source, type, refId, level, since, until, text, filter, utc = false } = query;
  const times: TimeOptions = { nowMs: Date.now(), utc };
  const asked = typeof filter === 'string' ? parseFilter(filter) : filter;
  const conditions = [
    ...(text === undefined ? [] : [compileFilter({ kind: 'text', scope: 'msg', text }, times)]),
    ...(asked ? [compileFilter(asked, times)] : []),
  ];
  return {
    ...(source !== undefined && { source }),
    ...(type !== undefined && { type }),
    ...(refId !== undefined && { refId }),
    ...(level !== undefined && { level: typeof level === 'number' ? level : parseLevel(level) }),
    ...(since !== undefined && { sinceMs: timeOf(since, times) }),
    ...(until !== undefined && { untilMs: timeOf(until, times) }),
    matches: (record) => conditions.every((accepts) => accepts(record)),
  };
}

function timeOf(time: number | Date | string, times: TimeOptions): number {
  return typeof time === 'string' ? (resolveTime(time, times)?.startMs ?? Number.NaN) : Number(time);
}

function toLogRow(source: FileSource, row: FileRow): LogRow {
  const { record, line, sortMs } = row;
  return {
    // Files number nothing; the same line has the same id in every answer.
    id: createHash('sha1').update(line).digest().readUIntBE(0, 6),
    cursor: source.cursorOf(row),
    ...deriveColumns(record, sortMs),
    payload: withoutColumns(record),
    record,
    line,
  };
}

/** What a table is made of: with a context also records that the condition leaves out. */
function selectionOf(query: TableQuery['query'], conditions: Omit<TableQuery, 'query'>): LogQuery {
  const { filter, stages } = typeof query === 'string' ? parseQuery(query) : query;
  return stages.some(({ kind }) => kind === 'context') ? {} : { ...conditions, filter };
}

/** Asks a temporary store what only SQLite can count and sort; `isWhole` tells whether all that was selected got into it in time. */
async function inStore<T>(
  source: FileSource,
  query: LogQuery,
  ask: (reader: LogReader, isWhole: boolean) => T,
): Promise<T> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-'));
  const remove = (): void => fs.rmSync(folder, { recursive: true, force: true });
  const store = path.join(folder, 'logs.db');
  const end = awaitEndSignal();
  try {
    const limit = timeLimit(query);
    const ended = new AbortController();
    void end.arrived.then(() => ended.abort());
    await fill(store, source, {
      ...requestOf(query),
      signal: AbortSignal.any([ended.signal, ...(limit ? [limit] : [])]),
    });
    const reader = openLogReader(store);
    try {
      reader.count({ until: 0 });
      // It is open: from here on nothing is left behind, however the command ends.
      if (process.platform !== 'win32') remove();
      end.release();
      end.raise();
      return ask(reader, !limit?.aborted);
    } finally {
      reader.close();
    }
  } finally {
    remove();
    end.release();
  }
}

async function fill(store: string, source: FileSource, request: FileRequest): Promise<void> {
  const { definition } = sqlite;
  const sink = await definition.open(await parseOptions(definition, { path: store }), {
    streamName: 'files',
    report: () => undefined,
  });
  let lines: string[] = [];
  const storeLines = async (): Promise<void> => {
    if (lines.length > 0) await sink.write(createBatch(Buffer.from(`${lines.join('\n')}\n`)));
    lines = [];
  };
  for await (const { line } of source.rows({ ...request, order: 'asc' })) {
    lines.push(line);
    if (lines.length >= STORED_TOGETHER) await storeLines();
  }
  await storeLines();
  await sink.close();
}

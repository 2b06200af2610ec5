import fs from 'node:fs';
import path from 'node:path';
import { compileFilter, parseQuery, resolveTime, type Filter, type TimeOptions } from '@treeline/query';
import { parseLevel, type LogRecord, type LogRequest, type LogSource } from '@treeline/contract';
import { openFileSource } from '@treeline/file/source';
import {
  rowOfRecord,
  tableOfRecords,
  type LogQuery,
  type RecordRow,
  type Stats,
  type StatsQuery,
} from '@treeline/sqlite';
import { CommandFailure, EXIT } from './exit-code.ts';
import { STORE_NAME } from './query-request.ts';
import type { Completion, Logs } from './logs.ts';

type Rows = AsyncGenerator<RecordRow, Completion>;

/** Log files as the commands ask them: one with what was rotated of it, or all of a folder. Conditions are decided here, by predicate. */
export async function openFileLogs(target: string): Promise<Logs> {
  const source = await openFileSource(target);
  const store = await storeInstead(target, source);
  if (store !== undefined) {
    await source.close();
    throw new CommandFailure(EXIT.noInput, `${target} holds no log files, but a store: name it, ${store}`);
  }
  return {
    rows: (query) => readRows(source, query),
    follow() {
      throw new CommandFailure(
        EXIT.usage,
        `${target} can't be followed: --follow needs a store; files are followed by: tail -F <file> | treeline pretty`,
      );
    },
    async table({ query, ...conditions }) {
      if (typeof query === 'string') throw new TypeError('query must be parsed');
      const { filter, stages } = query;
      const completion = { complete: true };
      const rows = withCompletion(readRows(source, { ...conditions, filter, limit: Infinity }), completion);
      return { ...(await tableOfRecords(rows, stages)), ...completion };
    },
    stats: (query) => readStats(source, query),
    close: () => void source.close(),
  };
}

/** The store of a folder that has no log files: `data` was typed for `data/logs.db`. */
async function storeInstead(folder: string, source: LogSource): Promise<string | undefined> {
  if (!fs.statSync(folder).isDirectory()) return undefined;
  const name = fs.readdirSync(folder).find((each) => STORE_NAME.test(each));
  if (name === undefined) return undefined;
  for await (const _record of source.query({ limit: 1 })) return undefined;
  return path.join(folder, name);
}

async function* readRows(source: LogSource, query: LogQuery): Rows {
  if (query.cursor !== undefined) {
    throw new CommandFailure(EXIT.usage, '--cursor needs a store: the records of files have no cursors');
  }
  const { limit = Infinity, timeoutMs = Infinity, order = 'desc' } = query;
  const times: TimeOptions = { nowMs: Date.now(), utc: query.utc ?? false };
  const filter = typeof query.filter === 'object' ? query.filter : undefined;
  const holds = predicateOf(filter, query.text, times);
  const deadlineMs = performance.now() + timeoutMs;
  let count = 0;
  for await (const record of source.query({ ...requestOf(query, filter, times), order })) {
    if (performance.now() > deadlineMs) return { complete: false };
    if (!holds(record)) continue;
    yield rowOfRecord(record, 0);
    if (++count >= limit) break;
  }
  return { complete: true };
}

/** What the source narrows by itself: whole files are passed over by time. */
function requestOf(query: LogQuery, filter: Filter | undefined, times: TimeOptions): LogRequest {
  const { source, type, refId, level, since, until } = query;
  const bounds = timesOf(filter, times);
  const sinceMs = most([since, bounds.sinceMs], Math.max);
  const untilMs = most([until, bounds.untilMs], Math.min);
  return {
    ...(source !== undefined && { source }),
    ...(type !== undefined && { type }),
    ...(refId !== undefined && { refId }),
    ...(level !== undefined && { level: typeof level === 'string' ? parseLevel(level) : level }),
    ...(sinceMs !== undefined && { sinceMs }),
    ...(untilMs !== undefined && { untilMs }),
  };
}

/** The times that a condition names at its top. */
function timesOf(filter: Filter | undefined, times: TimeOptions): { sinceMs?: number; untilMs?: number } {
  const items = filter?.kind === 'and' ? filter.items : filter ? [filter] : [];
  const startsOf = (kind: 'since' | 'until'): (number | undefined)[] =>
    items.map((item) => (item.kind === kind ? resolveTime(item.time.text, times)?.startMs : undefined));
  const sinceMs = most(startsOf('since'), Math.max);
  const untilMs = most(startsOf('until'), Math.min);
  return { ...(sinceMs !== undefined && { sinceMs }), ...(untilMs !== undefined && { untilMs }) };
}

function most(times: readonly unknown[], choose: (...values: number[]) => number): number | undefined {
  const known = times.filter((time) => typeof time === 'number');
  return known.length === 0 ? undefined : choose(...known);
}

function predicateOf(
  filter: Filter | undefined,
  text: string | undefined,
  times: TimeOptions,
): (record: LogRecord) => boolean {
  const contains =
    text === undefined ? undefined : compileFilter({ kind: 'text', scope: 'msg', text }, times);
  const matches = filter && compileFilter(filter, times);
  return (record) => (contains?.(record) ?? true) && (matches?.(record) ?? true);
}

/** Rows alone, for who takes no return value; what it was is put into `completion`. */
async function* withCompletion(
  rows: Rows,
  completion: { complete: boolean },
): AsyncGenerator<RecordRow, void> {
  for (;;) {
    const next = await rows.next();
    if (next.done) {
      completion.complete = next.value.complete;
      return;
    }
    yield next.value;
  }
}

/** Files keep no counts: every record is read, once more for the most frequent values. */
async function readStats(source: LogSource, { histogram, top, ...query }: StatsQuery): Promise<Stats> {
  const completion = { complete: true };
  const read = (): AsyncGenerator<RecordRow, void> =>
    withCompletion(readRows(source, { ...query, limit: Infinity }), completion);
  const levels: Record<number, number> = {};
  const steps = new Map<string, { ts: number; by?: string | number; count: number }>();
  let count = 0;
  let [firstMs, lastMs] = [Infinity, -Infinity];
  for await (const row of read()) {
    count++;
    levels[row.level] = (levels[row.level] ?? 0) + 1;
    firstMs = Math.min(firstMs, row.ts);
    lastMs = Math.max(lastMs, row.ts);
    if (!histogram) continue;
    const ts = Math.floor(row.ts / histogram.stepMs) * histogram.stepMs;
    const by = histogram.by && row[histogram.by];
    const step = steps.get(`${ts} ${by}`);
    if (step) step.count++;
    else steps.set(`${ts} ${by}`, { ts, ...(by === undefined ? {} : { by }), count: 1 });
  }
  return {
    count,
    levels,
    ...(count > 0 ? { firstMs, lastMs } : {}),
    ...(histogram ? { histogram: [...steps.values()].toSorted((a, b) => a.ts - b.ts) } : {}),
    ...(top ? { top: { values: await topValues(read(), top), uncounted: 0 } } : {}),
    complete: completion.complete,
  };
}

async function topValues(
  rows: AsyncIterable<RecordRow>,
  { field, limit = 10 }: NonNullable<StatsQuery['top']>,
): Promise<{ value: unknown; count: number }[]> {
  const { rows: table } = await tableOfRecords(rows, parseQuery(`| top ${limit} ${field}`).stages);
  return table.map((row) => ({ value: Object.values(row)[0], count: Number(row.count) }));
}

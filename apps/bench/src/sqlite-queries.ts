import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { openLogStore, type LogStore } from '@treeline/sqlite';
import { DAY_MS, fillDay, openSink } from './day-store.ts';
import { median, numberArgument, percentile, printHeader, printTable, textArgument } from './report.ts';

/* How long the usual questions take in a store of one day, which is made first: `--rows`; or in one that is there: `--store <path>`. */

const HOUR_MS = 3_600_000;

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-bench-'));
const path = textArgument('store') ?? join(folder, 'logs.db');
if (textArgument('store') === undefined) {
  const sink = await openSink(path);
  await fillDay(sink, numberArgument('rows', 5_000_000));
  await sink.close();
}

const store = openLogStore(path);
const rows = store.count();
const [refRow] = store.queryLogs({ filter: 'exists(ref)', limit: 1 });

const QUESTIONS: Readonly<Record<string, (from: LogStore) => unknown>> = {
  'last 100': (from) => from.queryLogs({ limit: 100 }),
  'source and type in an hour, 100': (from) =>
    from.queryLogs({
      source: 'service-3',
      type: 'cache',
      since: DAY_MS + 5 * HOUR_MS,
      until: DAY_MS + 6 * HOUR_MS,
      limit: 100,
    }),
  'one source, last 100': (from) => from.queryLogs({ source: 'service-3', limit: 100 }),
  'a source that is not there': (from) => from.queryLogs({ source: 'nobody', limit: 100 }),
  'by ref_id': (from) => from.queryLogs({ refId: refRow?.refId ?? '' }),
  'a ref_id that is not there': (from) => from.queryLogs({ refId: 'nothing' }),
  'last 100 errors': (from) => from.queryLogs({ level: 'error', limit: 100 }),
  'last 100 fatal, there are none': (from) => from.queryLogs({ level: 'fatal', limit: 100 }),
  'next page by cursor': (from) => from.queryLogs({ cursor: refRow?.cursor, limit: 100 }),
  'histogram by minute and level, the day': (from) =>
    from.stats({ histogram: { stepMs: 60_000, by: 'level' } }),
  'count of the day': (from) => from.count(),
  'text over a tenth of the day': (from) =>
    from.count({ text: 'customer 76', since: DAY_MS + 9.6 * HOUR_MS, until: DAY_MS + 12 * HOUR_MS }),
  'rare text, last 100, no answer': (from) =>
    from.queryLogs({ text: 'no such text', since: DAY_MS + 9.6 * HOUR_MS, until: DAY_MS + 12 * HOUR_MS }),
  'JSON field over a tenth of the day': (from) =>
    from.count({ filter: 'userId=321', since: DAY_MS + 9.6 * HOUR_MS, until: DAY_MS + 12 * HOUR_MS }),
  'JSON field over all, first row': (from) => from.iterate({ filter: 'userId=321' }).next(),
  'JSON field over all, no answer, limit 500 ms': (from) =>
    from.queryLogs({ filter: 'userId=-5', timeoutMs: 500 }),
};

printHeader(`questions to a store of ${rows.toLocaleString('en')} rows`);
const answers = Object.entries(QUESTIONS).map(([question, ask]) => {
  const times: number[] = [];
  const untilMs = performance.now() + 1500;
  do {
    const beganMs = performance.now();
    ask(store);
    times.push(performance.now() - beganMs);
  } while (times.length < 3 || (performance.now() < untilMs && times.length < 200));
  return {
    question,
    'p50 ms': median(times).toFixed(2),
    'p95 ms': percentile(times, 95).toFixed(2),
    runs: times.length,
  };
});
printTable(answers);
store.close();
fs.rmSync(folder, { recursive: true, force: true });

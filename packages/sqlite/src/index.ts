import { defineTransport, LEVELS, type Transport } from '@treeline/contract';
import { options, type SqliteOptions } from './options.ts';

export type { BackupProgress } from './backup.ts';
export { deriveColumns, withoutColumns, type Columns } from './columns.ts';
export { examineStore, type DoctorOptions, type Finding, type StoreReport } from './doctor.ts';
export { createIndexes } from './indexes.ts';
export type { LogEntry } from './entry.ts';
export type { LogQuery } from './log-query.ts';
export type { SqliteOptions } from './options.ts';
export type { LogRow } from './row.ts';
export type { HistogramStep, Stats, StatsQuery } from './stats.ts';
export { openLogSource } from './source.ts';
export { openLogReader, openLogStore, type LogReader, type LogRows, type LogStore } from './store.ts';

export type { Table, TableQuery } from './table.ts';

/** The SQLite transport: each record becomes a row of an append-only store that can be queried. */
const sqlite: Transport<SqliteOptions> = defineTransport<SqliteOptions>({
  name: 'sqlite',
  options,
  batch: { maxRecords: 20_000, maxBytes: 8 * 1024 * 1024, maxDelayMs: 100, urgentLevel: LEVELS.error },
  async open(parsed, context) {
    const { openSqliteSink } = await import('./sink.ts');
    return openSqliteSink(parsed, context);
  },
});

export default sqlite;

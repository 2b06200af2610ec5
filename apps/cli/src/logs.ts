import { fileURLToPath } from 'node:url';
import { openMergedReader, type MergedReader } from '@treeline/archive';
import {
  openLogReader,
  type LogQuery,
  type LogRow,
  type Stats,
  type StatsQuery,
  type TableQuery,
} from '@treeline/sqlite';
import { CommandFailure, EXIT } from './exit-code.ts';
import { areFiles, openFileLogs } from './file-logs.ts';
import { runTable, type FinishedTable } from './killable-table.ts';
import { tell } from './terminal.ts';

/** Whether all was looked at; false where a time limit ended the search. */
export interface Completion {
  readonly complete: boolean;
}

/** What the commands ask of whatever holds logs. */
export interface Logs {
  rows(query: LogQuery): Generator<LogRow, Completion> | AsyncGenerator<LogRow, Completion>;
  /** Rows as they are written, behind the one with the cursor `after` or from now on, until `signal` says so. */
  follow(query: FollowQuery, signal: AbortSignal): AsyncIterableIterator<LogRow>;
  /** The answer to a query with stages, in a process of its own: it can be killed at any time. */
  table(query: TableQuery): Promise<FinishedTable>;
  stats(query: StatsQuery): Promise<Stats>;
  close(): void;
}

export type FollowQuery = Omit<LogQuery, 'limit' | 'cursor' | 'order' | 'timeoutMs'> & {
  readonly after?: string;
};

/**
 * Opens what a command's last argument names: the one place that knows what kinds there are.
 *
 * @throws CommandFailure for what can't be read; TreelineError where a store is missing or damaged.
 */
export async function openLogs(argument: string): Promise<Logs> {
  const scheme = /^([a-z][a-z\d+.-]+):\/\//i.exec(argument)?.[1]?.toLowerCase();
  if (scheme === undefined) return openPath(argument);
  if (scheme === 'file') return openPath(fileURLToPath(argument));
  throw new CommandFailure(
    EXIT.usage,
    `${argument} can't be read: of URLs only file:// is supported so far; name the path of a store, such as data/logs.db, or of log files`,
  );
}

async function openPath(path: string): Promise<Logs> {
  return areFiles(path) ? openFileLogs(path) : openStore(path);
}

function openStore(path: string): Logs {
  const merged = openMergedReader(path, { onWarning: tell });
  const reader = openLogReader(path);
  return {
    rows: (query) => merged.iterate(query),
    async *follow(query, signal) {
      const { followLogs } = await import('@treeline/sqlite/follow');
      yield* followLogs(path, { ...query, signal });
    },
    async table({ query, ...bounds }) {
      tellUncounted(merged, { ...bounds, filter: typeof query === 'string' ? undefined : query.filter });
      return runTable(path, { ...bounds, query });
    },
    async stats({ since, until, utc, filter, ...query }) {
      tellUncounted(merged, { since, until, utc, filter });
      return reader.stats({ ...query, since, until, utc, filter });
    },
    close() {
      merged.close();
      reader.close();
    },
  };
}

/** What is counted is counted by SQL, in the store alone. */
function tellUncounted(merged: MergedReader, query: LogQuery): void {
  const files = merged.countFiles(query);
  if (files === 0) return;
  tell(
    `this is about the store alone: its archive has ${files} ${files === 1 ? 'file' : 'files'} of these times; narrow it by --since, or count in a store that "treeline archive restore" makes`,
  );
}

import { openLogReader, type LogQuery, type LogReader, type LogRow, type LogRows } from '@treeline/sqlite';
import { compareRows, compileRowTest, type Place, type RowTest } from '@treeline/sqlite/archival';
import { ArchivedMembers } from './archived-members.ts';

/** A store and its archive as one log. */
export interface MergedReader extends Pick<LogReader, 'queryLogs' | 'iterate' | 'meta' | 'path' | 'close'> {
  /** Number of archived files that may hold rows of a query, by their times; none is opened. */
  countFiles(query?: LogQuery): number;
}

export interface MergedReaderOptions {
  /** Told once about each part of the archive that can't be read: the answer goes on without it. */
  readonly onWarning?: (message: string) => void;
}

type Rows = ReturnType<LogReader['iterate']>;

/**
 * Opens a store for reading together with the archives that its rows have gone to. Rows come merged by time, each once, also while an
 * archiver is at work; files that can't match by time are not opened. Synchronous, as a reader of the store alone.
 *
 * @throws TreelineError `STORE_MISSING` where there is no store.
 */
export function openMergedReader(path: string, options: MergedReaderOptions = {}): MergedReader {
  const reader = openLogReader(path);
  const warn = onceEach(options.onWarning ?? (() => undefined));
  const iterate = (query: LogQuery = {}): Rows =>
    readMerged(reader, query, compileRowTest({ limit: Infinity, ...query }), warn);
  return {
    path,
    meta: reader.meta,
    countFiles: (query = {}) => new ArchivedMembers(reader, compileRowTest(query), warn).countFiles(),
    iterate,
    queryLogs(query = {}): LogRows {
      const merged = readMerged(reader, query, compileRowTest(query), warn);
      const rows: LogRow[] = [];
      let next = merged.next();
      for (; !next.done; next = merged.next()) rows.push(next.value);
      return Object.assign(rows, next.value);
    },
    close: () => reader.close(),
  };
}

/**
 * The invariant that makes every row come exactly once: a page of the store is read first, then it is looked whether segments were
 * sealed meanwhile. A row that an archiver had deleted before the page was read is in a segment that was sealed before, so it is seen;
 * one that was deleted after is in both, and equal places are one row.
 */
function* readMerged(
  reader: LogReader,
  query: LogQuery,
  test: RowTest,
  warn: (message: string) => void,
): Rows {
  const { order, limit, timeoutMs } = test;
  const archived = new ArchivedMembers(reader, test, warn, performance.now() + timeoutMs);
  const pages = reader.iteratePages({ ...query, order, limit, timeoutMs });
  let place: Place | undefined = test.after;
  let isDone = false;
  let isComplete = true;
  let page: LogRow[] = [];
  for (let count = 0; count < limit;) {
    while (page.length === 0 && !isDone) {
      const read = pages.next();
      isDone = read.done === true;
      if (read.done) isComplete = read.value.complete;
      else page = read.value.toReversed();
      archived.refresh(place);
    }
    const stored = page.at(-1);
    // When the time is up, what was found is still told, and no further file is opened.
    const cold = archived.peek(stored);
    const row = !stored || (cold && compareRows(cold, stored, order) < 0) ? cold : stored;
    if (!row) return { complete: isComplete && archived.isComplete };
    if (row === stored) page.pop();
    else archived.take();
    if (place && compareRows(row, place, order) <= 0) continue;
    place = { ts: row.ts, id: row.id };
    count++;
    yield row;
  }
  return { complete: true };
}

function onceEach(tell: (message: string) => void): (message: string) => void {
  const told = new Set<string>();
  return (message) => {
    if (told.has(message)) return;
    told.add(message);
    tell(message);
  };
}

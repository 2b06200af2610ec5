import path from 'node:path';
import { messageOf, TreelineError, type Batch, type LogSource, type LogStats } from '@treeline/contract';
import { acceptedRows, createPredicate, type Accepts, type FileRequest } from './file-request.ts';
import { formatCursor, isAt, parseCursor, type FileRow, type RowPlace } from './file-row.ts';
import { followLogs } from './follow-logs.ts';
import type { Damaged } from './followed-log.ts';
import { openListed, readBackwards, readForwards } from './line-reader.ts';
import { findChains, openChain, type ChainFile, type LogChain, type OpenedChain } from './log-chain.ts';
import { FIRST_KEY, mergeByTime, sortKey, type UnsortedRow } from './merge.ts';

export type { FileRequest, FileRow };

/** Log files for reading. */
export interface FileSource extends LogSource {
  /** The same as `query`, with the lines themselves. */
  rows(request: FileRequest): AsyncGenerator<FileRow>;
  /** Rows as they are written, from the call on or behind a cursor, until the signal comes; neither order nor limit count. */
  follow(request: FileRequest, signal: AbortSignal): AsyncGenerator<FileRow>;
  /** What a later request goes on behind. */
  cursorOf(row: FileRow): string;
}

export interface FileSourceOptions {
  /** Told of each file that can't be read to its end. @default process.emitWarning */
  readonly onWarning?: (reason: string) => void;
}

/**
 * Reads log files back: one log with what was rotated of it, compressed or not, or all logs of a folder. Each log comes in the order
 * in which it was written, several are merged by time.
 *
 * @throws TreelineError `DESTINATION_UNUSABLE` where nothing can be read there.
 */
export async function openFileSource(
  target: string,
  { onWarning = (reason) => process.emitWarning(reason) }: FileSourceOptions = {},
): Promise<FileSource> {
  const resolved = path.resolve(target);
  let isClosed = false;
  const chains = async (): Promise<LogChain[]> => {
    if (isClosed)
      throw new TreelineError('CLOSED', `the log source of ${resolved} was closed: open a new one`);
    return findChains(resolved).catch((error: unknown) => {
      throw new TreelineError(
        'DESTINATION_UNUSABLE',
        `can't read ${resolved}: ${messageOf(error)}; name a log file or a folder`,
        { cause: error },
      );
    });
  };
  if ((await chains()).length === 0) {
    throw new TreelineError(
      'DESTINATION_UNUSABLE',
      `${resolved} holds no log files (*.log, *.jsonl, *.ndjson): name the folder that they are in`,
    );
  }
  const damagedFiles = new Set<string>();
  const damaged = (file: string, error: unknown): void => {
    if (damagedFiles.has(file)) return;
    damagedFiles.add(file);
    onWarning(
      `${file} is damaged, what can be read of it is given (damaged files so far: ${damagedFiles.size}): ${messageOf(error)}`,
    );
  };
  async function* rows(request: FileRequest): AsyncGenerator<FileRow> {
    const { limit = Infinity } = request;
    if (limit <= 0) return;
    let count = 0;
    for await (const row of readAll(await chains(), request, { list: chains, damaged })) {
      yield row;
      if (++count >= limit) return;
    }
  }
  return {
    rows,
    follow: (request, signal) => followLogs(chains, rows, request, signal, damaged),
    cursorOf: formatCursor,
    async *query(request) {
      for await (const { record } of rows(request)) yield record;
    },
    async stats(request) {
      let stats: LogStats = { count: 0, levels: {} };
      for (const chain of await chains()) {
        for await (const row of readChain(chain, request, {
          order: 'asc',
          accepts: createPredicate(request),
          list: chains,
          damaged,
        }))
          stats = countIn(stats, row);
      }
      return stats;
    },
    async close() {
      isClosed = true;
    },
  };
}

function readAll(
  chains: readonly LogChain[],
  request: FileRequest,
  { list, damaged }: Pick<Reading, 'list' | 'damaged'>,
): AsyncGenerator<FileRow> {
  const { order = 'desc', signal } = request;
  const accepts = createPredicate(request);
  const after = request.cursor === undefined ? undefined : parseCursor(request.cursor);
  const streams = chains.map((chain) =>
    after
      ? readChainAfter(chains, chain, { order, after, accepts, signal, list, damaged })
      : readChain(chain, request, { order, accepts, signal, list, damaged }),
  );
  return mergeByTime(streams, order);
}

interface Reading {
  readonly order: 'asc' | 'desc';
  readonly accepts: Accepts;
  readonly signal?: AbortSignal | undefined;
  /** Lists all chains anew. */
  readonly list: () => Promise<LogChain[]>;
  /** Called for a file that can't be read to its end. */
  readonly damaged: Damaged;
}

interface ReadingAfter extends Reading {
  readonly after: RowPlace;
}

/**
 * The rows behind a place. In the place's own log these are the ones that stand behind it, whatever their times; where it is gone, and
 * in other logs, those that the merge has not given before it.
 */
async function* readChainAfter(
  chains: readonly LogChain[],
  chain: LogChain,
  { order, after, accepts, signal, list, damaged }: ReadingAfter,
): AsyncGenerator<UnsortedRow> {
  const sign = order === 'asc' ? 1 : -1;
  const sinceMs = order === 'asc' ? after.sortMs : undefined;
  if (chain.log === after.log) {
    let isBehind = false;
    // The place's own row need not meet the conditions.
    for await (const row of readChain(
      chain,
      { sinceMs },
      { order, accepts: () => true, signal, list, damaged },
    )) {
      if (isBehind && accepts(row.record, row.timeMs)) yield row;
      isBehind ||= isAt(after, row);
    }
    if (isBehind) return;
  }
  const placeOf = (log: string): number => chains.findIndex((each) => each.log === log);
  const comesLater = (placeOf(chain.log) - placeOf(after.log)) * sign > 0;
  let key = FIRST_KEY;
  for await (const row of readChain(chain, { sinceMs }, { order, accepts, signal, list, damaged })) {
    key = sortKey(row, sign, key);
    if (key > after.sortMs * sign || (key === after.sortMs * sign && comesLater)) yield row;
  }
}

/** What of a request spares reading; the predicate has the rest. */
interface ChainRequest {
  readonly sinceMs?: number | undefined;
  readonly level?: number;
  readonly limit?: number;
}

async function* readChain(
  chain: LogChain,
  request: ChainRequest,
  reading: Reading,
): AsyncGenerator<UnsortedRow> {
  const { files, current } = await openChain(chain, reading.list);
  try {
    for (const file of reading.order === 'asc' ? files : files.toReversed()) {
      // Nothing is in a file that is younger than its last write.
      if (request.sinceMs !== undefined && file.modifiedMs < request.sinceMs) continue;
      yield* readFile(file, current, chain.log, { ...request, ...reading });
    }
  } finally {
    await current?.handle.close();
  }
}

async function* readFile(
  file: ChainFile,
  current: OpenedChain['current'],
  log: string,
  { level = 0, limit = Infinity, order, accepts, signal, damaged }: ChainRequest & Reading,
): AsyncGenerator<UnsortedRow> {
  const opened =
    file === current?.file
      ? { handle: current.handle, compressed: undefined }
      : await openListed(file.path, file.compressed);
  if (!opened) return;
  const { handle, compressed } = opened;
  const fault = (error: unknown): void => damaged(file.path, error);
  const rowsOf = (batch: Batch): Generator<UnsortedRow> => acceptedRows(batch, log, level, accepts);
  try {
    if (order === 'asc') {
      for await (const batch of untilAborted(readForwards(handle, compressed), signal, fault))
        yield* rowsOf(batch);
    } else if (compressed === undefined) {
      for await (const batch of untilAborted(readBackwards(handle), signal, fault))
        yield* [...rowsOf(batch)].toReversed();
    } else {
      // A compressed file can't be read from its end: what the limit leaves of it is kept.
      let last: UnsortedRow[] = [];
      for await (const batch of untilAborted(readForwards(handle, compressed), signal, fault)) {
        last.push(...rowsOf(batch));
        if (last.length > limit * 2) last = last.slice(-limit);
      }
      if (!signal?.aborted) yield* last.toReversed();
    }
  } finally {
    if (handle !== current?.handle) await handle.close();
  }
}

async function* untilAborted(
  batches: AsyncGenerator<Batch>,
  signal: AbortSignal | undefined,
  fault: (error: unknown) => void,
): AsyncGenerator<Batch> {
  try {
    for await (const batch of batches) {
      if (signal?.aborted) return;
      yield batch;
    }
  } catch (error) {
    fault(error);
  }
}

function countIn(stats: LogStats, { record, timeMs }: UnsortedRow): LogStats {
  const { levels, firstMs = Infinity, lastMs = -Infinity } = stats;
  return {
    count: stats.count + 1,
    levels: { ...levels, [record.level]: (levels[record.level] ?? 0) + 1 },
    ...(Number.isNaN(timeMs)
      ? spanOf(stats)
      : { firstMs: Math.min(firstMs, timeMs), lastMs: Math.max(lastMs, timeMs) }),
  };
}

function spanOf({ firstMs, lastMs }: LogStats): Pick<LogStats, 'firstMs' | 'lastMs'> {
  return firstMs === undefined || lastMs === undefined ? {} : { firstMs, lastMs };
}

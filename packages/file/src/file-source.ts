import path from 'node:path';
import {
  messageOf,
  readTimeMs,
  TreelineError,
  type Batch,
  type LogRecord,
  type LogRequest,
  type LogSource,
  type LogStats,
} from '@treeline/contract';
import { compileFilter, parseFilter } from '@treeline/query';
import { openListed, readBackwards, readForwards } from './line-reader.ts';
import { findChains, type ChainFile, type LogChain } from './log-chain.ts';
import { mergeByTime, type TimedRecord } from './merge.ts';

/**
 * Reads log files back: one log with what was rotated of it, compressed or not, or all logs of a folder. Each log comes in the order
 * in which it was written, several are merged by time.
 *
 * @throws TreelineError `DESTINATION_UNUSABLE` where nothing can be read there.
 */
export async function openFileSource(target: string): Promise<LogSource> {
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
  await chains();
  return {
    async *query(request) {
      const order = request.order ?? 'desc';
      const { limit = Infinity } = request;
      const accepts = createPredicate(request);
      const streams = (await chains()).map((chain) => readChain(chain, request, order, accepts));
      let count = 0;
      if (limit <= 0) return;
      for await (const { record } of mergeByTime(streams, order)) {
        yield record;
        if (++count >= limit) return;
      }
    },
    async stats(request) {
      const accepts = createPredicate(request);
      let stats: LogStats = { count: 0, levels: {} };
      for (const chain of await chains()) {
        for await (const each of readChain(chain, request, 'asc', accepts)) stats = countIn(stats, each);
      }
      return stats;
    },
    async close() {
      isClosed = true;
    },
  };
}

type Accepts = (record: LogRecord, timeMs: number) => boolean;

function createPredicate({ source, type, refId, level, sinceMs, untilMs, filter }: LogRequest): Accepts {
  const matches =
    filter === undefined ? undefined : compileFilter(parseFilter(filter), { nowMs: Date.now() });
  return (record, timeMs) =>
    (level === undefined || record.level >= level) &&
    (sinceMs === undefined || timeMs >= sinceMs) &&
    (untilMs === undefined || timeMs < untilMs) &&
    (source === undefined || sourceOf(record) === source) &&
    (type === undefined || (textOf(record['type']) ?? 'log') === type) &&
    (refId === undefined || (record['ref_id'] ?? record['refId']) === refId) &&
    (matches === undefined || matches(record));
}

function sourceOf(record: LogRecord): string | undefined {
  return (
    textOf(record['source']) ?? textOf(record.name) ?? textOf(record['service']) ?? textOf(record['app'])
  );
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

async function* readChain(
  chain: LogChain,
  request: LogRequest,
  order: 'asc' | 'desc',
  accepts: Accepts,
): AsyncGenerator<TimedRecord> {
  for (const file of order === 'asc' ? chain : chain.toReversed()) {
    // Nothing is in a file that is younger than its last write.
    if (request.sinceMs !== undefined && file.modifiedMs < request.sinceMs) continue;
    yield* readFile(file, request, order, accepts);
  }
}

async function* readFile(
  file: ChainFile,
  { level = 0, limit = Infinity }: LogRequest,
  order: 'asc' | 'desc',
  accepts: Accepts,
): AsyncGenerator<TimedRecord> {
  const opened = await openListed(file.path, file.compressed);
  if (!opened) return;
  const { handle, compressed } = opened;
  try {
    if (order === 'asc') {
      for await (const batch of readForwards(handle, compressed)) yield* recordsOf(batch, level, accepts);
    } else if (compressed === undefined) {
      for await (const batch of readBackwards(handle))
        yield* [...recordsOf(batch, level, accepts)].toReversed();
    } else {
      // A compressed file can't be read from its end: what the limit leaves of it is kept.
      let last: TimedRecord[] = [];
      for await (const batch of readForwards(handle, compressed)) {
        last.push(...recordsOf(batch, level, accepts));
        if (last.length > limit * 2) last = last.slice(-limit);
      }
      yield* last.toReversed();
    }
  } finally {
    await handle.close();
  }
}

function* recordsOf(batch: Batch, level: number, accepts: Accepts): Generator<TimedRecord> {
  for (let index = 0; index < batch.count; index++) {
    // A line's level is known without parsing it; over 255 it is not exact.
    const lineLevel = batch.levels[index] ?? 0;
    if (lineLevel < level && lineLevel < 255) continue;
    const record = batch.record(index);
    const timeMs = readTimeMs(record.time) ?? Number.NaN;
    if (accepts(record, timeMs)) yield { record, timeMs };
  }
}

function countIn(stats: LogStats, { record, timeMs }: TimedRecord): LogStats {
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

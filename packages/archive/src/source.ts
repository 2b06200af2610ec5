import type { LogRecord, LogRequest, LogSource, LogStats } from '@treeline/contract';
import type { LogQuery } from '@treeline/sqlite';
import { openMergedReader, type MergedReaderOptions } from './merged-reader.ts';
import { turn } from './pacing.ts';

const ROWS_PER_TURN = 1000;

/**
 * A store and its archive as one source of records beside others; pull-only like a reader.
 *
 * @throws TreelineError `STORE_MISSING` where there is no store.
 */
export function openArchivedSource(path: string, options: MergedReaderOptions = {}): LogSource {
  const reader = openMergedReader(path, options);
  return {
    async *query(request): AsyncGenerator<LogRecord, void> {
      let sinceTurn = 0;
      for (const row of reader.iterate(queryOf(request))) {
        yield row.record;
        // Reading blocks: others in this thread get their turn.
        if (++sinceTurn < ROWS_PER_TURN) continue;
        sinceTurn = 0;
        await turn();
      }
    },
    async stats(request): Promise<LogStats> {
      let count = 0;
      let firstMs: number | undefined;
      let lastMs: number | undefined;
      const levels: Record<number, number> = {};
      for (const { level, ts } of reader.iterate({ ...queryOf(request), order: 'asc' })) {
        levels[level] = (levels[level] ?? 0) + 1;
        firstMs ??= ts;
        lastMs = ts;
        if (++count % ROWS_PER_TURN === 0) await turn();
      }
      return {
        count,
        levels,
        ...(firstMs === undefined ? {} : { firstMs }),
        ...(lastMs === undefined ? {} : { lastMs }),
      };
    },
    async close() {
      reader.close();
    },
  };
}

function queryOf({ sinceMs, untilMs, limit = Infinity, ...request }: LogRequest): LogQuery {
  return { ...request, since: sinceMs, until: untilMs, limit };
}

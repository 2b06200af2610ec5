import type { LogRecord, LogRequest, LogSource, LogStats } from '@treeline/contract';
import type { LogQuery } from './log-query.ts';
import { openLogReader } from './store.ts';

/**
 * A store as a source of records beside others (archives, engines on the network): asynchronous, and pull-only like a reader.
 *
 * @throws TreelineError `STORE_MISSING` where there is none.
 */
export function openLogSource(path: string): LogSource {
  const reader = openLogReader(path);
  return {
    async *query(request): AsyncGenerator<LogRecord, void> {
      let sinceTurn = 0;
      for (const row of reader.iterate(queryOf(request))) {
        yield row.record;
        // Reading blocks: others in this thread get their turn.
        if (++sinceTurn < ROWS_PER_TURN) continue;
        sinceTurn = 0;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async stats(request): Promise<LogStats> {
      const { count, levels, firstMs, lastMs } = reader.stats(queryOf(request));
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

const ROWS_PER_TURN = 1000;

function queryOf({ sinceMs, untilMs, limit = Infinity, ...request }: LogRequest): LogQuery {
  return { ...request, since: sinceMs, until: untilMs, limit };
}

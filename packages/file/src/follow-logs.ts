import { setTimeout as sleep } from 'node:timers/promises';
import { acceptedRows, createPredicate, type FileRequest } from './file-request.ts';
import type { FileRow } from './file-row.ts';
import type { FileSource } from './file-source.ts';
import { FollowedLog, type Damaged } from './followed-log.ts';
import type { LogChain } from './log-chain.ts';

/** How often files are looked at that are followed. */
const FOLLOW_MS = 250;

/** Rows by which following knows what it has given already. */
const REMEMBERED_ROWS = 10_000;

/** Gives the rows that are written to logs; `chains` lists them, `rows` reads what they hold already. */
export async function* followLogs(
  chains: () => Promise<LogChain[]>,
  rows: FileSource['rows'],
  request: FileRequest,
  signal: AbortSignal,
  damaged: Damaged,
): AsyncGenerator<FileRow> {
  const accepts = createPredicate(request);
  const logs = new Map<string, FollowedLog>();
  try {
    for (const chain of await chains()) {
      const followed = new FollowedLog();
      logs.set(chain.log, followed);
      await followed.skip(chain, chains);
    }
    const given = new Set<string>();
    const keyOf = ({ log, line }: FileRow): string => `${log}\n${line}`;
    // What is written while the rows behind the cursor are read would come twice.
    if (request.cursor !== undefined) {
      for await (const row of rows({ ...request, order: 'asc', limit: Infinity })) {
        given.add(keyOf(row));
        if (given.size > REMEMBERED_ROWS) given.delete(given.values().next().value ?? '');
        yield row;
      }
    }
    let sortMs = 0;
    while (!signal.aborted) {
      for (const { log, files } of await chains()) {
        const followed = logs.get(log) ?? new FollowedLog();
        logs.set(log, followed);
        for await (const batch of followed.read(files, damaged)) {
          for (const row of acceptedRows(batch, log, request.level ?? 0, accepts)) {
            if (!Number.isNaN(row.timeMs)) sortMs = row.timeMs;
            const sorted = { ...row, sortMs };
            if (!given.delete(keyOf(sorted))) yield sorted;
          }
        }
      }
      await sleep(FOLLOW_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await Promise.all([...logs.values()].map((log) => log.close()));
  }
}

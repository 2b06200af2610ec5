import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { formatDuration, TreelineError, type ErrorCode } from '@treeline/contract';
import type { LogRow, TableQuery } from '@treeline/sqlite';
import { awaitEndSignal } from './end-signal.ts';
import { CommandFailure, EXIT } from './exit-code.ts';

/** What a table's process is sent. */
export interface TableRequest {
  readonly path: string;
  readonly query: TableQuery;
}

/** A table as it comes from its process. */
export interface FinishedTable {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly complete: boolean;
  readonly newestOnly?: number;
  readonly records?: readonly LogRow[];
}

/** What a table's process answers. */
export type TableReply =
  | { readonly type: 'table'; readonly table: FinishedTable }
  | { readonly type: 'failed'; readonly message: string; readonly code?: ErrorCode };

/** How long after its time limit a table may still hand over what it has, between two windows of rows. */
const GRACE_MS = 2000;

/**
 * Answers a query with stages in a process of its own. Between two windows it looks at the time itself and gives what it has; what can't
 * be cut so (sorting, one long statement) is killed, at the time limit and at Ctrl-C: a thread in a native call could not be.
 */
export async function runTable(path: string, query: TableQuery): Promise<FinishedTable> {
  const child = fork(fileURLToPath(new URL('table-process.js', import.meta.url)), [], {
    serialization: 'advanced',
    execArgv: [],
    // Ctrl-C is ours to answer: it would reach the whole foreground group.
    detached: true,
  });
  const signal = awaitEndSignal();
  let isLate = false;
  const { timeoutMs } = query;
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          isLate = true;
          child.kill('SIGKILL');
        }, timeoutMs + GRACE_MS);
  const ended = once(child, 'close');
  const replied = once(child, 'message') as Promise<[TableReply]>;
  replied.catch(() => undefined);
  child.send({ path, query } satisfies TableRequest, () => undefined);
  const reply = await Promise.race([
    replied.then(([message]) => message),
    ended.then(() => undefined),
    signal.arrived.then(() => undefined),
  ]);
  clearTimeout(timer);
  child.kill('SIGKILL');
  signal.raise();
  signal.release();
  if (reply?.type === 'table') return reply.table;
  if (reply?.type === 'failed') {
    throw reply.code ? new TreelineError(reply.code, reply.message) : new Error(reply.message);
  }
  throw new CommandFailure(
    EXIT.failed,
    isLate
      ? `the query took longer than ${formatDuration(timeoutMs ?? 0)} and was ended; narrow it by --since or raise --timeout`
      : 'the process that answered the query ended before it was done; there may be too little memory: narrow the query by --since',
  );
}

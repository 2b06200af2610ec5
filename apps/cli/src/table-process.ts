import { messageOf, TreelineError } from '@treeline/contract';
import { openLogReader } from '@treeline/sqlite';
import type { TableReply, TableRequest } from './killable-table.ts';

/** Answers one query with stages, so that whoever asked can kill it. */
process.once('message', ({ path, query }: TableRequest) => {
  process.send?.(answer(path, query), () => {
    if (process.connected) process.disconnect();
  });
});

function answer(path: string, query: TableRequest['query']): TableReply {
  try {
    const reader = openLogReader(path);
    const table = reader.table(query);
    const { complete, newestOnly, records } = table;
    reader.close();
    return {
      type: 'table',
      table: {
        rows: [...table],
        complete,
        ...(newestOnly === undefined ? {} : { newestOnly }),
        ...(records ? { records } : {}),
      },
    };
  } catch (error) {
    const message = messageOf(error);
    return error instanceof TreelineError
      ? { type: 'failed', message, code: error.code }
      : { type: 'failed', message };
  }
}

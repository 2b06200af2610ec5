import { formatDuration } from '@treeline/contract';
import type { LogRow } from '@treeline/sqlite';
import { awaitEndSignal } from '../end-signal.ts';
import { EXIT } from '../exit-code.ts';
import { openLogs, type Completion, type Logs } from '../logs.ts';
import { readRequest, type QueryFlags, type QueryRequest } from '../query-request.ts';
import { createRowPrinter } from '../row-printer.ts';
import { formatTable } from '../table-text.ts';
import { createPace } from '../pace.ts';
import { openOutput, tell } from '../terminal.ts';

/** Rows that are printed where nothing is said of how many. */
const DEFAULT_LIMIT = 1000;

/** And before those that are still to come. */
const DEFAULT_FOLLOW_LIMIT = 10;

/** So many rows are held to turn their order; where more are wanted they are looked for twice. */
const HELD_ROWS = 10_000;

/** Rows by which following knows what was printed before it began. */
const REMEMBERED_ROWS = 10_000;

/** Rows in the order in which they are printed. */
type Rows = AsyncGenerator<LogRow, Completion>;

/** Prints the rows that match, oldest first, or what the query's stages make of them; gives the exit code. */
export async function query(args: readonly string[], flags: QueryFlags): Promise<number> {
  const request = readRequest(args, flags, Date.now());
  const logs = await openLogs(request.logs);
  try {
    if (request.stages.length > 0) return await printTable(logs, request, flags);
    if (flags.follow) return await printFollowing(logs, request, flags);
    return await printRows(storedRows(logs, request), request, flags);
  } finally {
    logs.close();
  }
}

/** What is written until Ctrl-C, which is what this command is ended with: the printer has its last word, the cursor is told. */
async function printFollowing(logs: Logs, request: QueryRequest, flags: QueryFlags): Promise<number> {
  const signal = awaitEndSignal();
  const ending = new AbortController();
  void signal.arrived.then(() => ending.abort());
  const exitCode = await printRows(followRows(logs, request, ending.signal), request, flags);
  signal.raise();
  return exitCode;
}

async function printRows(rows: Rows, request: QueryRequest, flags: QueryFlags): Promise<number> {
  const output = openOutput();
  const printer = await createRowPrinter({ output: flags.output, utc: flags.utc ?? false });
  let last: LogRow | undefined;
  let complete = true;
  const isPrompt = createPace(() => performance.now());
  for (;;) {
    const next = await rows.next();
    if (next.done) {
      ({ complete } = next.value);
      break;
    }
    last = next.value;
    await output.write(printer.print(last));
    if (flags.follow || isPrompt()) await output.flush();
    if (output.closed) break;
  }
  await output.write(printer.end());
  await output.flush();
  if (flags.showCursor && last) tell(`cursor: ${last.cursor}`);
  if (!complete) return tellIncomplete(request);
  return !last && flags.exitCode ? EXIT.failed : EXIT.ok;
}

async function printTable(logs: Logs, request: QueryRequest, flags: QueryFlags): Promise<number> {
  const { conditions, stages, timeoutMs } = request;
  const { filter, ...others } = conditions;
  const table = await logs.table({
    ...others,
    timeoutMs,
    query: { ...(filter && { filter }), stages },
  });
  const output = openOutput();
  if (table.records) {
    const printer = await createRowPrinter({ output: flags.output, utc: flags.utc ?? false });
    for (const row of table.records) await output.write(printer.print(row));
    await output.write(printer.end());
  } else if (flags.output === 'pretty') {
    await output.write(
      formatTable(table.rows, { utc: flags.utc ?? false, maxWidth: process.stdout.columns }),
    );
  } else {
    for (const row of table.rows) await output.write(`${JSON.stringify(row)}\n`);
  }
  await output.flush();
  if (table.newestOnly !== undefined) {
    tell(
      `only the newest ${table.newestOnly} records were looked at, and there are more: begin with "| limit <number>", or narrow by --since`,
    );
  }
  if (!table.complete) return tellIncomplete(request);
  return table.rows.length === 0 && flags.exitCode ? EXIT.failed : EXIT.ok;
}

function tellIncomplete({ timeoutMs = 0 }: QueryRequest): number {
  tell(
    `ended after ${formatDuration(timeoutMs)}: not all was looked at; narrow it by --since, or raise --timeout`,
  );
  return EXIT.failed;
}

async function* storedRows(logs: Logs, request: QueryRequest): Rows {
  const { limit = DEFAULT_LIMIT, cursor } = request;
  return yield* selectRows(logs, request, limit, () => {
    if (request.limit !== undefined) return;
    const which = cursor === undefined && !request.reverse ? 'newest' : 'first';
    tell(`these are the ${which} ${limit} records; there are more: -n <number> or -n all prints them`);
  });
}

/** The newest rows, or none behind a cursor, then those that are written. */
async function* followRows(logs: Logs, request: QueryRequest, signal: AbortSignal): Rows {
  const { conditions, cursor } = request;
  const following = logs.follow({ ...conditions, ...(cursor !== undefined && { after: cursor }) }, signal);
  // The first step fixes where following begins: what is written while the newest rows are read comes twice, not never.
  const first = following.next();
  const printed = new Set<string>();
  if (cursor === undefined) {
    for await (const row of selectRows(logs, request, request.limit ?? DEFAULT_FOLLOW_LIMIT)) {
      printed.add(row.cursor);
      if (printed.size > REMEMBERED_ROWS) printed.delete(printed.values().next().value ?? '');
      yield row;
    }
  }
  for (let next = await first; !next.done; next = await following.next()) {
    if (!printed.has(next.value.cursor)) yield next.value;
  }
  return { complete: true };
}

/** At most `limit` rows in the order in which they are printed; `more` is called where they are not all. */
async function* selectRows(
  logs: Logs,
  { conditions, cursor, reverse, timeoutMs }: QueryRequest,
  limit: number,
  more?: () => void,
): Rows {
  const newestFirst = (): ReturnType<Logs['rows']> =>
    logs.rows({ ...conditions, timeoutMs, order: 'desc', limit: limit + 1 });
  if (reverse || cursor !== undefined) {
    const order = reverse ? 'desc' : 'asc';
    return yield* firstRows(
      logs.rows({ ...conditions, timeoutMs, order, cursor, limit: limit + 1 }),
      limit,
      more,
    );
  }
  if (limit <= HELD_ROWS) {
    const held: LogRow[] = [];
    const rows = firstRows(newestFirst(), limit, more);
    let next = await rows.next();
    for (; !next.done; next = await rows.next()) held.push(next.value);
    yield* held.toReversed();
    return next.value;
  }
  const before = limit === Infinity ? undefined : (await rowAt(newestFirst(), limit))?.cursor;
  return yield* logs.rows({ ...conditions, timeoutMs, order: 'asc', cursor: before });
}

async function* firstRows(
  rows: ReturnType<Logs['rows']>,
  limit: number,
  more: (() => void) | undefined,
): Rows {
  for (let count = 0; ; count++) {
    const next = await rows.next();
    if (next.done) return next.value;
    if (count < limit) yield next.value;
    else {
      more?.();
      // Files stay open otherwise.
      await rows.return({ complete: true });
      return { complete: true };
    }
  }
}

async function rowAt(rows: ReturnType<Logs['rows']>, index: number): Promise<LogRow | undefined> {
  let count = 0;
  for await (const row of rows) if (count++ === index) return row;
  return undefined;
}

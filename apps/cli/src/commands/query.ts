import { openMergedReader, type MergedReader } from '@treeline/archive';
import type { LogRow } from '@treeline/sqlite';
import { EXIT } from '../exit-code.ts';
import { readRequest, type QueryFlags, type QueryRequest } from '../query-request.ts';
import { createRowPrinter } from '../row-printer.ts';
import { openOutput, tell } from '../terminal.ts';

/** Rows that are printed where nothing is said of how many. */
const DEFAULT_LIMIT = 1000;

/** And before those that are still to come. */
const DEFAULT_FOLLOW_LIMIT = 10;

/** So many rows are held to turn their order; where more are wanted they are looked for twice. */
const HELD_ROWS = 10_000;

/** Rows by which following knows what was printed before it began. */
const REMEMBERED_ROWS = 10_000;

/** Prints the rows of a store that match, oldest first; gives the exit code. */
export async function query(args: readonly string[], flags: QueryFlags): Promise<number> {
  const request = readRequest(args, flags, Date.now());
  const output = openOutput();
  const printer = await createRowPrinter({ output: flags.output, utc: flags.utc ?? false });
  let last: LogRow | undefined;
  for await (const row of flags.follow ? followRows(request) : storedRows(request)) {
    last = row;
    await output.write(printer.print(row));
    if (flags.follow) await output.flush();
    if (output.closed) break;
  }
  await output.write(printer.end());
  await output.flush();
  if (flags.showCursor && last) tell(`cursor: ${last.cursor}`);
  return !last && flags.exitCode ? EXIT.failed : EXIT.ok;
}

function* storedRows(request: QueryRequest): Generator<LogRow> {
  const { limit = DEFAULT_LIMIT, cursor } = request;
  const reader = openMergedReader(request.store, { onWarning: tell });
  try {
    yield* selectRows(reader, request, limit, () => {
      if (request.limit !== undefined) return;
      const which = cursor === undefined && !request.reverse ? 'newest' : 'first';
      tell(`these are the ${which} ${limit} records; there are more: -n <number> or -n all prints them`);
    });
  } finally {
    reader.close();
  }
}

/** The newest rows, then those that are written. */
async function* followRows(request: QueryRequest): AsyncGenerator<LogRow> {
  const { followLogs } = await import('@treeline/sqlite/follow');
  const following = followLogs(request.store, request.conditions);
  // The first step fixes where following begins: what is written while the newest rows are read comes twice, not never.
  const first = following.next();
  const printed = new Set<string>();
  const reader = openMergedReader(request.store, { onWarning: tell });
  try {
    for (const row of selectRows(reader, request, request.limit ?? DEFAULT_FOLLOW_LIMIT)) {
      printed.add(row.cursor);
      if (printed.size > REMEMBERED_ROWS) printed.delete(printed.values().next().value ?? '');
      yield row;
    }
  } finally {
    reader.close();
  }
  for (let next = await first; !next.done; next = await following.next()) {
    if (!printed.has(next.value.cursor)) yield next.value;
  }
}

/** At most `limit` rows in the order in which they are printed; `more` is called where they are not all. */
function* selectRows(
  reader: MergedReader,
  { conditions, cursor, reverse }: QueryRequest,
  limit: number,
  more?: () => void,
): Generator<LogRow> {
  const newestFirst = (): Iterable<LogRow> =>
    reader.iterate({ ...conditions, order: 'desc', limit: limit + 1 });
  if (reverse || cursor !== undefined) {
    const order = reverse ? 'desc' : 'asc';
    yield* firstRows(reader.iterate({ ...conditions, order, cursor, limit: limit + 1 }), limit, more);
  } else if (limit <= HELD_ROWS) {
    yield* [...firstRows(newestFirst(), limit, more)].toReversed();
  } else {
    const before = limit === Infinity ? undefined : rowAt(newestFirst(), limit)?.cursor;
    yield* reader.iterate({ ...conditions, order: 'asc', cursor: before });
  }
}

function* firstRows(
  rows: Iterable<LogRow>,
  limit: number,
  more: (() => void) | undefined,
): Generator<LogRow> {
  let count = 0;
  for (const row of rows) {
    if (++count > limit) {
      more?.();
      return;
    }
    yield row;
  }
}

function rowAt(rows: Iterable<LogRow>, index: number): LogRow | undefined {
  let count = 0;
  for (const row of rows) if (count++ === index) return row;
  return undefined;
}

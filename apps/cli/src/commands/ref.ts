import type { Filter } from '@treeline/query';
import type { LogRow } from '@treeline/sqlite';
import { EXIT } from '../exit-code.ts';
import { openLogs, type Logs } from '../logs.ts';
import { DEFAULT_STORE, readTime } from '../query-request.ts';
import { formatStory } from '../story.ts';
import { openOutput, tell } from '../terminal.ts';

/** The options of `treeline ref` as they were typed. */
export interface RefFlags {
  readonly since?: string;
  readonly until?: string;
  readonly utc?: true;
  readonly output: 'tree' | 'jsonl';
  readonly exitCode?: true;
}

/** Records of a story that are read at most: of the object itself, and of its traces. */
const MAX_ROWS = 10_000;

/** Traces whose other records are looked up. */
const MAX_TRACES = 1000;

/** A trace's other records are looked for so long before and behind those of the object. */
const AROUND_MS = 3_600_000;

/** Prints all records of one business object and of the traces that it appears in; gives the exit code. */
export async function ref(id: string, store: string = DEFAULT_STORE, flags: RefFlags): Promise<number> {
  const times = { nowMs: Date.now(), utc: flags.utc ?? false };
  const since = readTime('since', flags.since, times);
  const until = readTime('until', flags.until, times);
  const logs = await openLogs(store);
  try {
    const own = await read(logs, { refId: id, since, until });
    const story = own.length === 0 ? [] : await withTraces(logs, own);
    const output = openOutput();
    if (flags.output === 'jsonl') for (const { line } of story) await output.write(`${line}\n`);
    else await output.write(formatStory(id, story, { utc: times.utc }));
    await output.flush();
    return story.length === 0 && flags.exitCode ? EXIT.failed : EXIT.ok;
  } finally {
    logs.close();
  }
}

/** The records, and those that share a trace with one of them, oldest first. */
async function withTraces(logs: Logs, own: readonly LogRow[]): Promise<LogRow[]> {
  const traceIds = [...new Set(own.flatMap(({ traceId }) => traceId ?? []))];
  if (traceIds.length === 0) return [...own];
  if (traceIds.length > MAX_TRACES)
    tell(`of ${traceIds.length} traces the first ${MAX_TRACES} were looked up`);
  const since = (own[0]?.ts ?? 0) - AROUND_MS;
  const until = (own.at(-1)?.ts ?? 0) + AROUND_MS;
  const others = await read(logs, { filter: ofTraces(traceIds.slice(0, MAX_TRACES)), since, until });
  return [...own, ...without(others, own)].toSorted((a, b) => a.ts - b.ts || a.id - b.id);
}

/** The rows but for as many of each id as are known: identical lines of files have one id. */
function without(rows: readonly LogRow[], known: readonly LogRow[]): LogRow[] {
  const left = new Map<number, number>();
  for (const { id } of known) left.set(id, (left.get(id) ?? 0) + 1);
  return rows.filter(({ id }) => {
    const count = left.get(id) ?? 0;
    left.set(id, count - 1);
    return count <= 0;
  });
}

function ofTraces(traceIds: readonly string[]): Filter {
  const field = { kind: 'column', name: 'trace' } as const;
  const values = traceIds.map((value) => ({ kind: 'string', value }) as const);
  const [only] = values;
  // An equality finds an index that the store may have.
  return only && values.length === 1
    ? { kind: 'compare', field, op: '=', value: only, orAbsent: false }
    : { kind: 'in', field, values, orAbsent: false };
}

async function read(logs: Logs, query: Parameters<Logs['rows']>[0]): Promise<LogRow[]> {
  const rows: LogRow[] = [];
  for await (const row of logs.rows({ ...query, order: 'asc', limit: MAX_ROWS + 1 })) rows.push(row);
  if (rows.length <= MAX_ROWS) return rows;
  tell(
    `there are more than ${MAX_ROWS} records; the first ${MAX_ROWS} are printed: narrow them by --since and --until`,
  );
  return rows.slice(0, MAX_ROWS);
}

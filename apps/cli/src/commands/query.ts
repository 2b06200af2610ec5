import { openLogReader, type LogQuery, type LogReader, type LogRow } from '@treeline/sqlite';
import { EXIT } from '../exit-code.ts';
import { print, tell } from '../terminal.ts';

/** Rows that are printed where nothing is said of how many. */
const DEFAULT_LIMIT = 1000;

export type QueryOutput = 'pretty' | 'jsonl' | 'rows';

export interface QueryOptions {
  readonly store: string;
  readonly conditions: Pick<LogQuery, 'source' | 'type' | 'refId' | 'level' | 'since' | 'until' | 'text'>;
  /** Undefined: the newest `DEFAULT_LIMIT`, with a notice where there are more. */
  readonly limit: number | undefined;
  readonly output: QueryOutput;
  readonly utc: boolean;
  /** Newest first. */
  readonly reverse: boolean;
  /** Exit 1 where nothing matched. */
  readonly exitCode: boolean;
}

/** Prints the rows of a store that match, oldest first; gives the exit code. */
export async function query(options: QueryOptions): Promise<number> {
  const reader = openLogReader(options.store);
  try {
    let count = 0;
    const lineOf = LINE_OF[options.output];
    const lines = mapEach(selectRows(reader, options, lineOf), (line) => {
      count++;
      return line;
    });
    await print(await present(lines, options));
    return count === 0 && options.exitCode ? EXIT.failed : EXIT.ok;
  } finally {
    reader.close();
  }
}

/** What is kept of a row until it is printed. */
const LINE_OF: Readonly<Record<QueryOutput, (row: LogRow) => string>> = {
  jsonl: (row) => row.line,
  rows: ({ record: _record, line: _line, ...row }) => JSON.stringify(row),
  pretty: (row) =>
    row.record.time === undefined ? JSON.stringify({ ...row.record, time: row.ts }) : row.line,
};

/** The rows in the order in which they are printed. */
function selectRows(
  reader: LogReader,
  { conditions, limit: given, reverse }: QueryOptions,
  lineOf: (row: LogRow) => string,
): Iterable<string> {
  if (given === Infinity) {
    return mapEach(reader.iterate({ ...conditions, order: reverse ? 'desc' : 'asc' }), lineOf);
  }
  const limit = given ?? DEFAULT_LIMIT;
  const lines = [...mapEach(reader.iterate({ ...conditions, order: 'desc', limit: limit + 1 }), lineOf)];
  if (lines.length > limit) {
    lines.pop();
    if (given === undefined)
      tell(`the newest ${limit} records; there are more: -n <number> or -n all prints them`);
  }
  return reverse ? lines : lines.toReversed();
}

async function present(lines: Iterable<string>, { output, utc }: QueryOptions): Promise<Iterable<string>> {
  if (output !== 'pretty') return mapEach(lines, (line) => `${line}\n`);
  const { prettyTexts } = await import('../pretty-text.ts');
  return prettyTexts(lines, { utc });
}

function* mapEach<From, To>(values: Iterable<From>, change: (value: From) => To): Generator<To> {
  for (const value of values) yield change(value);
}

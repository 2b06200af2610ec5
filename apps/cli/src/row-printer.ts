import { createBatch } from '@treeline/contract';
import type { LogRow } from '@treeline/sqlite';
import type { QueryOutput } from './query-request.ts';

/** Turns rows into text, each line ended by a line feed. */
export interface RowPrinter {
  print(row: LogRow): string;
  /** What is left to say at the end. */
  end(): string;
}

export interface RowPrinterOptions {
  readonly output: QueryOutput;
  readonly utc: boolean;
}

export async function createRowPrinter({ output, utc }: RowPrinterOptions): Promise<RowPrinter> {
  if (output === 'pretty') return createPrettyPrinter(utc);
  return { print: output === 'rows' ? formatRow : ({ line }) => `${line}\n`, end: () => '' };
}

function formatRow({ record: _record, line: _line, ...row }: LogRow): string {
  return `${JSON.stringify(row)}\n`;
}

/** Prints for people, in the shape and the colours that suit standard output. Dates are shown: a store holds many days. */
async function createPrettyPrinter(utc: boolean): Promise<RowPrinter> {
  const { createPrinter } = await import('@treeline/pretty');
  const { stdout } = process;
  const printer = createPrinter(
    { time: 'iso', utc },
    { env: process.env, isTerminal: stdout.isTTY, columns: () => stdout.columns, cwd: process.cwd() },
  );
  return {
    print: (row) => printer.write(createBatch(Buffer.from(`${timedLine(row)}\n`))),
    end: () => printer.end(),
  };
}

/** A record that says no time has that of its arrival. */
function timedLine({ record, line, ts }: LogRow): string {
  return record.time === undefined ? JSON.stringify({ ...record, time: ts }) : line;
}

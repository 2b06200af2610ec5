import fs from 'node:fs';
import { LEVEL_NAMES, parseLevel } from '@treeline/contract';
import {
  formatField,
  parseQuery,
  QueryError,
  resolveTime,
  type Filter,
  type TimeOptions,
  type Value,
} from '@treeline/query';
import type { LogQuery } from '@treeline/sqlite';
import { CommandFailure, EXIT } from './exit-code.ts';

/** How rows can be printed. */
export type QueryOutput = 'pretty' | 'jsonl' | 'rows';

/** The options of `treeline query` as they were typed. */
export interface QueryFlags {
  readonly query?: string;
  readonly source?: string;
  readonly type?: string;
  readonly ref?: string;
  readonly level?: string;
  readonly since?: string;
  readonly until?: string;
  readonly grep?: string;
  readonly limit?: string;
  readonly cursor?: string;
  readonly output: QueryOutput;
  readonly follow?: true;
  readonly reverse?: true;
  readonly utc?: true;
  readonly showCursor?: true;
  readonly exitCode?: true;
}

/** What is asked of which store. */
export interface QueryRequest {
  readonly store: string;
  readonly conditions: Omit<LogQuery, 'limit' | 'cursor' | 'order' | 'timeoutMs'>;
  /** Undefined where nothing is said. */
  readonly limit: number | undefined;
  /** Where to go on from an earlier call. */
  readonly cursor: string | undefined;
  /** Newest first. */
  readonly reverse: boolean;
}

const DEFAULT_STORE = 'data/logs.db';

/**
 * Reads what was typed.
 *
 * @throws CommandFailure that names the option, or points into the query text.
 */
export function readRequest(args: readonly string[], flags: QueryFlags, nowMs: number): QueryRequest {
  const { text, store } = placeArguments(args, flags);
  const times: TimeOptions = { nowMs, utc: flags.utc ?? false };
  if (flags.follow && (flags.reverse || flags.cursor !== undefined)) {
    throw usage('--follow prints what comes, oldest first: it goes with neither --reverse nor --cursor');
  }
  return {
    store,
    conditions: {
      source: flags.source,
      type: flags.type,
      refId: flags.ref,
      level: readLevel(flags.level),
      since: readTime('since', flags.since, times),
      until: readTime('until', flags.until, times),
      text: flags.grep,
      filter: text === undefined ? undefined : readFilter(text),
      utc: times.utc,
    },
    limit: readLimit(flags.limit),
    cursor: flags.cursor,
    reverse: flags.reverse ?? false,
  };
}

/** The store comes last. A single argument is the store where it looks like one or exists, else the text; `--query` leaves no doubt. */
function placeArguments(
  args: readonly string[],
  { query }: QueryFlags,
): { text: string | undefined; store: string } {
  const [first, second] = args;
  if (query !== undefined) {
    if (second !== undefined) throw usage('with --query the store is the only argument');
    return { text: query, store: first ?? DEFAULT_STORE };
  }
  if (second !== undefined) return { text: first, store: second };
  if (first === undefined) return { text: undefined, store: DEFAULT_STORE };
  return isStore(first) ? { text: undefined, store: first } : { text: first, store: DEFAULT_STORE };
}

function isStore(argument: string): boolean {
  return /\.(?:db|sqlite3?)$/i.test(argument) || fs.existsSync(argument);
}

function readFilter(text: string): Filter | undefined {
  try {
    const { filter, stages } = parseQuery(text);
    if (stages.length > 0) {
      throw usage('a query on the command line is a condition: remove the "|" and what follows');
    }
    return filter && withLists(filter);
  } catch (error) {
    throw error instanceof QueryError ? usage(explain(text, error)) : error;
  }
}

/** Points at the mistake. */
function explain(text: string, { message, start, end }: QueryError): string {
  const line = text.replaceAll(/[\n\r\t]/g, ' ');
  const quoted = `'${text.replaceAll("'", String.raw`'\''`)}'`;
  return `${message}\n  ${line}\n  ${' '.repeat(start)}${'^'.repeat(end - start)}\nTo search messages for the text itself: --grep ${quoted}`;
}

/** Puts the lines of a file in the place of `in @file`. */
function withLists(filter: Filter): Filter {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return { ...filter, items: filter.items.map(withLists) };
    case 'not':
      return { ...filter, item: withLists(filter.item) };
    case 'in-file': {
      const { field, orAbsent, file } = filter;
      const values = readList(file).map((line) => valueOf(formatField(field), line));
      return { kind: 'in', field, orAbsent, values };
    }
    default:
      return filter;
  }
}

function readList(file: string): string[] {
  try {
    const text = fs.readFileSync(file === '-' ? 0 : file, 'utf8');
    return text.split(/\r?\n/).filter((line) => line !== '');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw usage(`the list ${file} can't be read (${reason}); check the path behind @`);
  }
}

/** A line means what it would mean behind the field's equals sign, and else its text. */
function valueOf(field: string, line: string): Value {
  try {
    const { filter, stages } = parseQuery(`${field}=${line}`);
    if (filter?.kind === 'compare' && stages.length === 0) return filter.value;
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
  }
  return { kind: 'string', value: line };
}

function readLevel(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,3}$/.test(text)) return Number(text);
  const name = text.toLowerCase();
  const names = LEVEL_NAMES.filter((known) => known !== 'silent');
  if ((names as readonly string[]).includes(name)) return parseLevel(name);
  throw usage(`--level must be one of ${names.join(', ')}, or a number; got ${JSON.stringify(text)}`);
}

function readTime(name: 'since' | 'until', text: string | undefined, times: TimeOptions): number | undefined {
  if (text === undefined) return undefined;
  const span = resolveTime(text, times);
  if (span) return span.startMs;
  throw usage(
    `--${name} must be like 2h, 1d, today, yesterday, friday, 14:30, 2026-03-04, "2026-03-04 14:30" or 2026-03-04T14:30:00Z; got ${JSON.stringify(text)}`,
  );
}

function readLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === 'all') return Infinity;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw usage(`--limit must be a whole number or "all"; got ${JSON.stringify(text)}`);
}

function usage(message: string): CommandFailure {
  return new CommandFailure(EXIT.usage, message);
}

import fs from 'node:fs';
import { LEVEL_NAMES, parseDuration, parseLevel } from '@treeline/contract';
import {
  formatField,
  parseQuery,
  QueryError,
  resolveTime,
  type Filter,
  type Query,
  type TimeOptions,
  type Value,
} from '@treeline/query';
import type { LogQuery } from '@treeline/sqlite';
import { CommandFailure, EXIT } from './exit-code.ts';

/** How rows can be printed. */
export type QueryOutput = 'pretty' | 'jsonl' | 'rows';

/** The options that say which records are meant, as they were typed. */
export interface ConditionFlags {
  readonly query?: string;
  readonly source?: string;
  readonly type?: string;
  readonly ref?: string;
  readonly level?: string;
  readonly since?: string;
  readonly until?: string;
  readonly grep?: string;
  readonly timeout?: string;
  readonly utc?: true;
}

/** The options of `treeline query` as they were typed. */
export interface QueryFlags extends ConditionFlags {
  readonly limit?: string;
  readonly cursor?: string;
  readonly output: QueryOutput;
  readonly follow?: true;
  readonly reverse?: true;
  readonly showCursor?: true;
  readonly exitCode?: true;
}

/** Which records of which store are meant. */
export interface Selection {
  /** A store, a folder or a URL. */
  readonly logs: string;
  readonly conditions: Omit<LogQuery, 'limit' | 'cursor' | 'order' | 'timeoutMs'> & {
    readonly filter: Filter | undefined;
  };
  /** What is done with them; empty for the records themselves. */
  readonly stages: Query['stages'];
  readonly timeoutMs: number | undefined;
}

/** What is asked of which store. */
export interface QueryRequest extends Selection {
  /** Undefined where nothing is said. */
  readonly limit: number | undefined;
  /** Where to go on from an earlier call. */
  readonly cursor: string | undefined;
  /** Newest first. */
  readonly reverse: boolean;
}

/** A file of such a name is a store, whether or not it is there. */
export const STORE_NAME = /\.(?:db|sqlite3?)$/i;

export const DEFAULT_STORE = 'data/logs.db';

/**
 * Reads what was typed behind `treeline query` and `treeline tail`.
 *
 * @throws CommandFailure that names the option, or points into the query text.
 */
export function readRequest(args: readonly string[], flags: QueryFlags, nowMs: number): QueryRequest {
  const selection = readSelection(args, flags, nowMs);
  const { follow, reverse = false, cursor } = flags;
  if (follow && (reverse || flags.timeout !== undefined)) {
    throw usage(
      '--follow prints what comes, oldest first, until it is ended: it goes with neither --reverse nor --timeout',
    );
  }
  if (selection.stages.length > 0) {
    const { limit, showCursor } = flags;
    const rowFlags = { follow, reverse: flags.reverse, cursor, limit, 'show-cursor': showCursor };
    const [name] = Object.entries(rowFlags).find(([, value]) => value !== undefined) ?? [];
    if (name !== undefined) {
      throw usage(
        `--${name} is about single records; behind "|" write "sort" and "limit", or leave --${name} out`,
      );
    }
  }
  return { ...selection, limit: readLimit(flags.limit), cursor, reverse };
}

/**
 * Reads which records are meant.
 *
 * @throws CommandFailure that names the option, or points into the query text.
 */
export function readSelection(args: readonly string[], flags: ConditionFlags, nowMs: number): Selection {
  const { text, logs } = placeArguments(args, flags);
  const times: TimeOptions = { nowMs, utc: flags.utc ?? false };
  const { filter, stages }: Query = text === undefined ? { stages: [] } : readQuery(text);
  return {
    logs,
    conditions: {
      source: flags.source,
      type: flags.type,
      refId: flags.ref,
      level: readLevel(flags.level),
      since: readTime('since', flags.since, times),
      until: readTime('until', flags.until, times),
      text: flags.grep,
      filter: filter && withLists(filter),
      utc: times.utc,
    },
    stages,
    timeoutMs: readTimeout(flags.timeout),
  };
}

/** The store comes last. A single argument is the store where it looks like one or exists, else the text; `--query` leaves no doubt. */
function placeArguments(
  args: readonly string[],
  { query }: ConditionFlags,
): { text: string | undefined; logs: string } {
  const [first, second] = args;
  if (query !== undefined) {
    if (second !== undefined) throw usage('with --query the store is the only argument');
    return { text: query, logs: first ?? DEFAULT_STORE };
  }
  if (second !== undefined) return { text: first, logs: second };
  if (first === undefined) return { text: undefined, logs: DEFAULT_STORE };
  return isStore(first) ? { text: undefined, logs: first } : { text: first, logs: DEFAULT_STORE };
}

function isStore(argument: string): boolean {
  return STORE_NAME.test(argument) || /^[a-z][a-z\d+.-]+:\/\//i.test(argument) || fs.existsSync(argument);
}

function readQuery(text: string): Query {
  try {
    return parseQuery(text);
  } catch (error) {
    throw error instanceof QueryError ? usage(explain(text, error)) : error;
  }
}

/** Characters of a long text that are shown on each side of a mistake. */
const SHOWN_CHARS = 100;

/** Points at the mistake. */
function explain(text: string, { message, start, end }: QueryError): string {
  const from = text.length <= 2 * SHOWN_CHARS ? 0 : Math.max(0, start - SHOWN_CHARS);
  const line = text.slice(from, from + 2 * SHOWN_CHARS).replaceAll(/[\n\r\t]/g, ' ');
  const before = from > 0 ? '…' : '';
  const after = from + line.length < text.length ? '…' : '';
  const marks = '^'.repeat(Math.max(1, Math.min(end, from + line.length) - start));
  const place = `  ${before}${line}${after}\n  ${' '.repeat(before.length + start - from)}${marks}`;
  const quoted = `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const hint = before || after ? '' : `\nTo search messages for the text itself: --grep ${quoted}`;
  return `${message}\n${place}${hint}`;
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

export function readTime(
  name: 'since' | 'until',
  text: string | undefined,
  times: TimeOptions,
): number | undefined {
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

function readTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  try {
    return parseDuration(text);
  } catch {
    throw usage(`--timeout must be a duration like 500ms, 10s or 2m; got ${JSON.stringify(text)}`);
  }
}

export function usage(message: string): CommandFailure {
  return new CommandFailure(EXIT.usage, message);
}

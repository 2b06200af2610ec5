import type { LogRecord } from '@treeline/contract';
import type { CompareOp, Field, Filter, Value } from './ast.ts';
import { fieldReader } from './record-field.ts';
import { compileRegex } from './regex.ts';
import { resolveTime, type TimeOptions, type TimeSpan } from './time.ts';

export type RecordPredicate = (record: LogRecord) => boolean;

/**
 * Turns a condition into a function over records. Times are resolved once, now.
 *
 * @throws TypeError for `in @file`, which the command line resolves before.
 */
export function compileFilter(filter: Filter, options: TimeOptions): RecordPredicate {
  switch (filter.kind) {
    case 'and': {
      const items = filter.items.map((item) => compileFilter(item, options));
      return (record) => items.every((item) => item(record));
    }
    case 'or': {
      const items = filter.items.map((item) => compileFilter(item, options));
      return (record) => items.some((item) => item(record));
    }
    case 'not': {
      const item = compileFilter(filter.item, options);
      return (record) => !item(record);
    }
    case 'text':
      return compileText(filter.scope, filter.text);
    case 'exists':
      return compileExists(filter.field);
    case 'since':
    case 'until':
      return compileBound(filter.kind, spanOf(filter.time, options));
    default:
      return compileCondition(filter, options);
  }
}

/**
 * Turns a condition that asks for nothing but levels into a function over them, so that no line has to be parsed; undefined
 * where it asks for more.
 */
export function compileLevelFilter(filter: Filter): ((level: number) => boolean) | undefined {
  if (!asksOnlyForLevels(filter)) return undefined;
  const predicate = compileFilter(filter, { nowMs: 0 });
  return (level) => predicate({ level });
}

function asksOnlyForLevels(filter: Filter): boolean {
  if (filter.kind === 'and' || filter.kind === 'or') return filter.items.every(asksOnlyForLevels);
  if (filter.kind === 'not') return asksOnlyForLevels(filter.item);
  return 'field' in filter && filter.field.kind === 'column' && filter.field.name === 'level';
}

function compileExists(field: Field): RecordPredicate {
  const read = fieldReader(field);
  return (record) => read(record, always);
}

const always = (): boolean => true;

function compileBound(kind: 'since' | 'until', { startMs }: TimeSpan): RecordPredicate {
  const read = fieldReader({ kind: 'column', name: 'time' });
  const test =
    kind === 'since'
      ? (value: unknown) => typeof value === 'number' && value >= startMs
      : (value: unknown) => typeof value === 'number' && value < startMs;
  return (record) => read(record, test);
}

function compileText(scope: 'msg' | 'any', text: string): RecordPredicate {
  const contains = asciiSearch(text);
  if (scope === 'msg') return (record) => typeof record.msg === 'string' && contains(record.msg);
  return (record) =>
    Object.entries(record).some(([key, value]) => !NOT_SEARCHED.has(key) && anyValue(value, contains));
}

/** Numbers that every record has, and nobody searches by their digits. */
const NOT_SEARCHED = new Set(['level', 'time']);

function anyValue(value: unknown, contains: (text: string) => boolean): boolean {
  if (typeof value === 'string') return contains(value);
  if (typeof value === 'number' || typeof value === 'boolean') return contains(String(value));
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).some((item) => anyValue(item, contains))
  );
}

type FieldCondition = Extract<Filter, { readonly orAbsent: boolean }>;

function compileCondition(filter: FieldCondition, options: TimeOptions): RecordPredicate {
  const read = fieldReader(filter.field);
  const negated = isNegated(filter);
  const test = compileTest(filter, options);
  const holds: RecordPredicate = negated
    ? (record) => read(record, always) && !read(record, test)
    : (record) => read(record, test);
  return filter.orAbsent ? (record) => !read(record, always) || holds(record) : holds;
}

function isNegated(filter: FieldCondition): boolean {
  if (filter.kind === 'compare') return filter.op === '!=';
  return (filter.kind === 'contains' || filter.kind === 'regex') && filter.negated;
}

function compileTest(filter: FieldCondition, options: TimeOptions): (value: unknown) => boolean {
  switch (filter.kind) {
    case 'compare':
      return compileCompare(filter.op, filter.value, options);
    case 'range': {
      const low = compileCompare('>=', filter.low, options);
      const high = compileCompare('<=', filter.high, options);
      return (value) => low(value) && high(value);
    }
    case 'in': {
      const tests = filter.values.map((value) => compileCompare('=', value, options));
      return (value) => tests.some((test) => test(value));
    }
    case 'in-file':
      throw new TypeError(`in @file must be resolved before a filter is compiled; got @${filter.file}`);
    case 'glob': {
      const matches = compileGlob(filter.parts);
      return (value) => typeof value === 'string' && matches(value);
    }
    case 'contains': {
      const contains = asciiSearch(filter.text);
      return (value) => typeof value === 'string' && contains(value);
    }
    default: {
      const regex = compileRegex(filter.pattern, filter.flags);
      return (value) => typeof value === 'string' && regex.test(value);
    }
  }
}

/** `!=` is the caller's to turn round: here it tests for equality. */
function compileCompare(op: CompareOp, wanted: Value, options: TimeOptions): (value: unknown) => boolean {
  if (wanted.kind === 'time') return compileTimeCompare(op, spanOf(wanted, options));
  if (wanted.kind === 'string') {
    const holds = ORDER[op];
    const text = wanted.value;
    return (value) => typeof value === 'string' && holds(compareCodePoints(value, text));
  }
  const holds = ORDER[op];
  const { value: target } = wanted;
  if (typeof target === 'boolean') return (value) => value === target;
  return (value) => typeof value === 'number' && holds(value - target);
}

const ORDER: Readonly<Record<CompareOp, (difference: number) => boolean>> = {
  '=': (difference) => difference === 0,
  '!=': (difference) => difference === 0,
  '<': (difference) => difference < 0,
  '<=': (difference) => difference <= 0,
  '>': (difference) => difference > 0,
  '>=': (difference) => difference >= 0,
};

function compileTimeCompare(op: CompareOp, { startMs, endMs }: TimeSpan): (value: unknown) => boolean {
  const tests: Record<CompareOp, (ms: number) => boolean> = {
    '=': (ms) => ms >= startMs && ms < endMs,
    '!=': (ms) => ms >= startMs && ms < endMs,
    '<': (ms) => ms < startMs,
    '<=': (ms) => ms < endMs,
    '>': (ms) => ms >= endMs,
    '>=': (ms) => ms >= startMs,
  };
  const test = tests[op];
  return (value) => typeof value === 'number' && test(value);
}

function spanOf(value: { readonly text: string }, options: TimeOptions): TimeSpan {
  const span = resolveTime(value.text, options);
  if (!span)
    throw new TypeError(`time must be one that resolveTime knows; got ${JSON.stringify(value.text)}`);
  return span;
}

/** By code points, as SQLite compares UTF-8; JavaScript's own order differs beyond the basic plane. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return surrogatesLast(left) - surrogatesLast(right);
  }
  return a.length - b.length;
}

/** UTF-16 puts surrogates, which stand for the highest code points, before U+E000. */
function surrogatesLast(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Finds a substring whose ASCII letters match in either case, as SQLite's LIKE does. */
function asciiSearch(text: string): (haystack: string) => boolean {
  if (!/[a-z]/i.test(text)) return (haystack) => haystack.includes(text);
  const source = text
    .replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)
    .replace(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`);
  const pattern = new RegExp(source);
  return (haystack) => pattern.test(haystack);
}

/** Finds the parts in order, each at its first place: linear, and right because nothing but `*` stands between them. */
function compileGlob(parts: readonly string[]): (text: string) => boolean {
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  const middle = parts.slice(1, -1);
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length)
      return false;
    let at = first.length;
    for (const part of middle) {
      const found = text.indexOf(part, at);
      if (found === -1) return false;
      at = found + part.length;
    }
    return at <= text.length - last.length;
  };
}

import type { Field, Filter, TimeOptions, Value } from '@treeline/query';
import { isMangled, spanOf } from './filter-sql.ts';

/** What a condition says about a row's columns, for the choice of an index; `rest` is what is still to be checked. */
export interface Narrowed {
  readonly source?: string;
  readonly type?: string;
  readonly refId?: string;
  readonly level?: number;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** An equality with a field that may have an index of its own. */
  readonly indexed?: { readonly field: string; readonly value: string | number };
  readonly rest: Filter | undefined;
}

/** Takes apart what must hold in any case: the condition itself, or the items of an `and`. */
export function narrow(filter: Filter, options: TimeOptions): Narrowed {
  const items = filter.kind === 'and' ? filter.items : [filter];
  const facts: { -readonly [Key in keyof Omit<Narrowed, 'rest'>]: Narrowed[Key] } = {};
  const rest = items.filter((item) => !absorb(item, facts, options));
  const [first] = rest;
  return {
    ...facts,
    rest: first && (rest.length === 1 ? first : { kind: 'and', items: rest }),
  };
}

/** The longest text that `msg` must contain for the condition to hold; what a full-text index can be asked for. */
export function requiredText(filter: Filter | undefined): string | undefined {
  const items = filter?.kind === 'and' ? filter.items : filter ? [filter] : [];
  const texts = items.flatMap((item) => {
    if (item.kind === 'text') return item.scope === 'msg' ? [item.text] : [];
    const isInMsg = item.kind === 'contains' && item.field.kind === 'column' && item.field.name === 'msg';
    return isInMsg && !item.negated && !item.orAbsent ? [item.text] : [];
  });
  return texts.filter((text) => !isMangled(text)).toSorted((a, b) => b.length - a.length)[0];
}

type Facts = { -readonly [Key in keyof Omit<Narrowed, 'rest'>]: Narrowed[Key] };

/** Returns whether the facts say all that the condition says. */
function absorb(item: Filter, facts: Facts, options: TimeOptions): boolean {
  if (item.kind === 'since') {
    facts.sinceMs = Math.max(facts.sinceMs ?? -Infinity, spanOf(item.time.text, options).startMs);
    return true;
  }
  if (item.kind === 'until') {
    facts.untilMs = Math.min(facts.untilMs ?? Infinity, spanOf(item.time.text, options).startMs);
    return true;
  }
  if (item.kind === 'range') absorbRange(item, facts, options);
  if (item.kind !== 'compare' || item.orAbsent) return false;
  const { field, op, value } = item;
  if (field.kind === 'column' && field.name === 'level' && value.kind === 'number') {
    if (op !== '>=' && op !== '=' && op !== '>') return false;
    facts.level = Math.max(facts.level ?? -Infinity, value.value);
    return op === '>=';
  }
  if (field.kind === 'column' && field.name === 'time' && value.kind === 'time') {
    const { startMs, endMs } = spanOf(value.text, options);
    if (op === '>=' || op === '=') facts.sinceMs = Math.max(facts.sinceMs ?? -Infinity, startMs);
    if (op === '<=' || op === '=') facts.untilMs = Math.min(facts.untilMs ?? Infinity, endMs);
    return op === '>=' || op === '<=' || op === '=';
  }
  return op === '=' && absorbEquality(field, value, facts);
}

function absorbRange(item: Extract<Filter, { kind: 'range' }>, facts: Facts, options: TimeOptions): void {
  const { field, low, high, orAbsent } = item;
  if (orAbsent || field.kind !== 'column') return;
  if (field.name === 'time' && low.kind === 'time' && high.kind === 'time') {
    facts.sinceMs = Math.max(facts.sinceMs ?? -Infinity, spanOf(low.text, options).startMs);
    facts.untilMs = Math.min(facts.untilMs ?? Infinity, spanOf(high.text, options).endMs);
  }
  if (field.name === 'level' && low.kind === 'number') {
    facts.level = Math.max(facts.level ?? -Infinity, low.value);
  }
}

const COLUMN_FACTS = { source: 'source', type: 'type', ref: 'refId' } as const;

function absorbEquality(field: Field, value: Value, facts: Facts): boolean {
  if (field.kind === 'column') {
    // An empty source means none.
    if (value.kind !== 'string' || value.value === '' || isMangled(value.value)) return false;
    if (field.name === 'trace') facts.indexed ??= { field: 'trace_id', value: value.value };
    if (field.name !== 'source' && field.name !== 'type' && field.name !== 'ref') return false;
    const key = COLUMN_FACTS[field.name];
    if (facts[key] !== undefined) return false;
    facts[key] = value.value;
    return true;
  }
  const keys = field.segments.filter((segment) => typeof segment === 'string');
  // Other numbers SQLite may have read an ulp apart: an index would not find them.
  const isExact =
    (value.kind === 'string' && !isMangled(value.value)) ||
    (value.kind === 'number' && Number.isSafeInteger(value.value));
  if (isExact && keys.length === field.segments.length && !keys.some((key) => key.includes('.'))) {
    facts.indexed ??= { field: keys.join('.'), value: value.value };
  }
  return false;
}

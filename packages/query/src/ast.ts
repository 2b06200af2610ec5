/**
 * What a query text means. The tree is plain data, without positions: `parseQuery(formatQuery(query))` gives it back. Every
 * reader of logs evaluates the same tree, as a predicate over records or as a statement of its engine.
 */
export interface Query {
  /** Absent where every record is meant. */
  readonly filter?: Filter;
  readonly stages: readonly Stage[];
}

/**
 * A condition on one record, true or false: a comparison with a value that is absent (missing or null) or of another type is
 * false, also `!=` and `!~`; `not` turns it round. So `-a=1` holds for records without `a`, and `a!=1` does not.
 */
export type Filter =
  /** At least two items, none of the same kind. */
  | { readonly kind: 'and' | 'or'; readonly items: readonly Filter[] }
  | { readonly kind: 'not'; readonly item: Filter }
  /** A substring, ASCII case ignored, of `msg`, or with `any` of `msg` and every text, number and boolean of the payload. */
  | { readonly kind: 'text'; readonly scope: 'msg' | 'any'; readonly text: string }
  /** The field is there and not null. */
  | { readonly kind: 'exists'; readonly field: Field }
  | (Comparison & { readonly kind: 'compare'; readonly op: CompareOp; readonly value: Value })
  /** Both ends are included; for times the whole period of the last. */
  | (Comparison & { readonly kind: 'range'; readonly low: Value; readonly high: Value })
  /** Equal to one of at least two values. */
  | (Comparison & { readonly kind: 'in'; readonly values: readonly Value[] })
  /** Equal to one of the lines of a file, `-` for stdin: resolved by the command line before the query is used. */
  | (Comparison & { readonly kind: 'in-file'; readonly file: string })
  /** A text whose parts stand in this order, anything between them: `["http.", ""]` is `http.*`. Case counts. */
  | (Comparison & { readonly kind: 'glob'; readonly parts: readonly string[] })
  /** A substring, ASCII case ignored. */
  | (Comparison & { readonly kind: 'contains'; readonly text: string; readonly negated: boolean })
  /** An RE2 expression that is found somewhere in the text. Flags: `i`, `m`, `s`, in this order. */
  | (Comparison & {
      readonly kind: 'regex';
      readonly pattern: string;
      readonly flags: string;
      readonly negated: boolean;
    })
  /** `since` is inclusive, `until` exclusive; both take the beginning of a period. */
  | { readonly kind: 'since' | 'until'; readonly time: TimeValue };

interface Comparison {
  readonly field: Field;
  /** Holds also where the field is absent (`user.id?!=42`). */
  readonly orAbsent: boolean;
}

export type CompareOp = '=' | '!=' | '<' | '<=' | '>' | '>=';

export type Field =
  | {
      /** What every record has in its own way: `source` falls back to `name`, `service`, `app`; `ref` is `ref_id` or `refId`. */
      readonly kind: 'column';
      readonly name: ColumnName;
    }
  /** A place in the record as it was logged. */
  | { readonly kind: 'path'; readonly segments: readonly Segment[] };

/** `id` is the row's number in a store. */
export type ColumnName = 'level' | 'time' | 'msg' | 'source' | 'type' | 'ref' | 'trace' | 'span' | 'id';

/** A key, an index of a list, or every element of a list, of which one has to match. */
export type Segment = string | number | EachElement;

export interface EachElement {
  readonly each: true;
}

export type Value =
  | { readonly kind: 'string'; readonly value: string }
  /** Levels and row numbers are numbers too. */
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | TimeValue;

/** A time as it was written (`2026-03`, `90m`, `yesterday`): what it means depends on now and on the zone, see `resolveTime`. */
export interface TimeValue {
  readonly kind: 'time';
  readonly text: string;
}

export type Stage =
  /** Rows `{ …by, count }`. */
  | { readonly kind: 'count'; readonly by: readonly Field[] }
  /** The most frequent values: rows `{ field, count }`. */
  | { readonly kind: 'top'; readonly limit: number; readonly field: Field }
  /** Counts by time: rows `{ ts, …by, count }`. */
  | { readonly kind: 'hist'; readonly stepMs: number; readonly by: readonly Field[] }
  | { readonly kind: 'stats'; readonly aggregates: readonly Aggregate[]; readonly by: readonly Field[] }
  | { readonly kind: 'fields'; readonly fields: readonly Field[] }
  | { readonly kind: 'sort'; readonly field: Field; readonly descending: boolean }
  | { readonly kind: 'limit'; readonly limit: number }
  /** So many records of the same source before and after each. */
  | { readonly kind: 'context'; readonly before: number; readonly after: number };

export interface Aggregate {
  /** `percentile` is by nearest rank. */
  readonly fn: 'count' | 'sum' | 'avg' | 'min' | 'max' | 'percentile';
  /** For `percentile`: 0 to 100. */
  readonly percent?: number;
  /** Absent for a plain `count`. */
  readonly field?: Field;
  /** The column's name; as written where there is none. */
  readonly as?: string;
}

/** Joins conditions, so that none of the items is of the same kind; a single one stays as it is. */
export function joinFilters(kind: 'and' | 'or', items: readonly [Filter, ...Filter[]]): Filter {
  const flat = items.flatMap((item) => (item.kind === kind ? item.items : [item]));
  return flat.length === 1 ? items[0] : { kind, items: flat };
}

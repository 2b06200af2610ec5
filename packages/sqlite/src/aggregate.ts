import { TreelineError } from '@treeline/contract';
import { formatAggregate, formatField, type Aggregate, type Field } from '@treeline/query';
import { percentileOf } from './percentile.ts';

/** A row of a table: values by the names that the query gives them. */
export type TableRow = Readonly<Record<string, unknown>>;

/** Groups that are told apart at most: a query with more asks for a list of records, not for a table. */
const MAX_GROUPS = 100_000;

/** What is gathered of one field within one group. */
class Gathered {
  count = 0;
  numbers = 0;
  sum = 0;
  min = Infinity;
  max = -Infinity;
  readonly values: number[] = [];

  add(value: unknown, keepsValues: boolean): void {
    if (value === undefined || value === null) return;
    this.count++;
    if (typeof value !== 'number') return;
    this.numbers++;
    this.sum += value;
    this.min = Math.min(this.min, value);
    this.max = Math.max(this.max, value);
    if (keepsValues) this.values.push(value);
  }
}

interface Group {
  readonly by: TableRow;
  rows: number;
  readonly gathered: readonly Gathered[];
}

/** Gathers rows into groups. `keys` are the names of the columns that rows are grouped by. */
export class Grouping {
  readonly #keys: readonly string[];
  readonly #aggregates: readonly Aggregate[];
  readonly #groups = new Map<string, Group>();

  constructor(keys: readonly string[], aggregates: readonly Aggregate[]) {
    this.#keys = keys;
    this.#aggregates = aggregates;
  }

  /** Adds `rows` rows that have these values; `values` are those of the aggregates' fields, in order. */
  add(by: readonly unknown[], rows: number, values: readonly unknown[] = []): void {
    const group = this.#group(by);
    group.rows += rows;
    for (const [index, gathered] of group.gathered.entries()) {
      gathered.add(values[index], this.#aggregates[index]?.fn === 'percentile');
    }
  }

  /** One row for each group, in the order in which they were met. */
  rows(): TableRow[] {
    return Array.from(this.#groups.values(), ({ by, rows, gathered }) => {
      if (this.#aggregates.length === 0) return { ...by, count: rows };
      const results = this.#aggregates.map((aggregate, index) => [
        aggregate.as ?? formatAggregate(aggregate),
        resultOf(aggregate, rows, gathered[index] ?? new Gathered()),
      ]);
      return { ...by, ...(Object.fromEntries(results) as TableRow) };
    });
  }

  #group(by: readonly unknown[]): Group {
    const key = JSON.stringify(by);
    let group = this.#groups.get(key);
    if (!group) {
      if (this.#groups.size >= MAX_GROUPS) {
        throw new TreelineError(
          'QUERY_INVALID',
          `query has more than ${MAX_GROUPS} groups by ${this.#keys.join(', ')}; group by something with fewer values`,
        );
      }
      group = {
        by: Object.fromEntries(this.#keys.map((name, index) => [name, by[index] ?? null])),
        rows: 0,
        gathered: this.#aggregates.map(() => new Gathered()),
      };
      this.#groups.set(key, group);
    }
    return group;
  }
}

function resultOf({ fn, percent = 0, field }: Aggregate, rows: number, gathered: Gathered): number | null {
  if (fn === 'count') return field ? gathered.count : rows;
  if (gathered.numbers === 0) return null;
  switch (fn) {
    case 'sum':
      return gathered.sum;
    case 'avg':
      return gathered.sum / gathered.numbers;
    case 'min':
      return gathered.min;
    case 'max':
      return gathered.max;
    default:
      return percentileOf(Float64Array.from(gathered.values).toSorted(), percent) ?? null;
  }
}

/** A column's name in a table. */
export function columnName(field: Field): string {
  return formatField(field);
}

import type { FileRow } from './file-row.ts';

/** A row that has not been sorted in yet. */
export type UnsortedRow = Omit<FileRow, 'sortMs'>;

interface Head {
  readonly rows: AsyncGenerator<UnsortedRow>;
  readonly place: number;
  readonly row: UnsortedRow;
  readonly key: number;
}

/**
 * Merges logs by time. Each keeps its own order: a row that has no time, or an earlier one than the row before it, comes with that.
 */
export async function* mergeByTime(
  logs: readonly AsyncGenerator<UnsortedRow>[],
  order: 'asc' | 'desc',
): AsyncGenerator<FileRow> {
  const sign = order === 'asc' ? 1 : -1;
  const heads: Head[] = [];
  const comesFirst = (a: Head, b: Head | undefined): boolean =>
    b === undefined || (a.key === b.key ? (a.place - b.place) * sign < 0 : a.key < b.key);
  const advance = async (
    rows: AsyncGenerator<UnsortedRow>,
    place: number,
    lastKey: number,
  ): Promise<void> => {
    const { done, value } = await rows.next();
    if (!done) heads.push({ rows, place, row: value, key: sortKey(value, sign, lastKey) });
  };
  try {
    for (const [place, rows] of logs.entries()) await advance(rows, place, FIRST_KEY);
    while (heads.length > 0) {
      const next = heads.reduce((first, head, index) => (comesFirst(head, heads[first]) ? index : first), 0);
      const [head] = heads.splice(next, 1);
      if (!head) return;
      yield { ...head.row, sortMs: head.key * sign };
      await advance(head.rows, head.place, head.key);
    }
  } finally {
    for (const rows of logs) await rows.return(undefined);
  }
}

/** Before every date: https://tc39.es/ecma262/#sec-time-values-and-time-range */
export const FIRST_KEY = -8.64e15;

/** What rows are merged by, ascending. */
export function sortKey({ timeMs }: UnsortedRow, sign: 1 | -1, lastKey: number): number {
  return Number.isNaN(timeMs) ? lastKey : Math.max(lastKey, timeMs * sign);
}

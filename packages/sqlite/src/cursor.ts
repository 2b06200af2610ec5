import { TreelineError } from '@treeline/contract';

/** A row's place in the order of time. It stays valid when the row has moved to an archive: ids are never given twice. */
export interface Place {
  readonly ts: number;
  readonly id: number;
}

export function formatCursor({ ts, id }: Place): string {
  return `${ts.toString(36)}.${id.toString(36)}`;
}

/**
 * Reads a cursor.
 *
 * @throws TreelineError `QUERY_INVALID` where it is none of ours.
 */
export function parseCursor(cursor: string): Place {
  const match = /^(-?[0-9a-z]{1,11})\.([0-9a-z]{1,11})$/.exec(cursor);
  const ts = Number.parseInt(match?.[1] ?? '', 36);
  const id = Number.parseInt(match?.[2] ?? '', 36);
  if (Number.isSafeInteger(ts) && Number.isSafeInteger(id)) return { ts, id };
  throw new TreelineError(
    'QUERY_INVALID',
    `cursor ${JSON.stringify(cursor)} is not one that a row had; take the cursor of the last row of the page before`,
  );
}

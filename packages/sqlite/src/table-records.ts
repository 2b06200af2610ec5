import { TreelineError } from '@treeline/contract';
import type { Stage } from '@treeline/query';
import type { TableRow } from './aggregate.ts';
import type { RecordRow } from './row.ts';
import { applyStage, gathererOf, isGrouping } from './table-stages.ts';

/** Records that are read at most where a query sorts or shows them; `limit` stages ask for fewer. */
export const MAX_RECORDS = 100_000;

export const DEFAULT_RECORDS = 1000;

/** A record with its columns under the names that a query has for them. */
export function toTableRow({
  id,
  ts,
  level,
  source,
  type,
  refId,
  msg,
  traceId,
  spanId,
  payload,
}: RecordRow): TableRow {
  const texts = { source: source === '' ? null : source, ref: refId, msg, trace: traceId, span: spanId };
  const present = Object.entries(texts).filter(([, value]) => value !== null);
  return {
    ...payload,
    ...(id === undefined ? {} : { id }),
    time: ts,
    level,
    type,
    ...Object.fromEntries(present),
  };
}

export function needsAll(stage: Stage): boolean {
  return stage.kind === 'sort' || isGrouping(stage);
}

export function keepsRecords({ kind }: Stage): boolean {
  return kind === 'limit' || kind === 'sort' || kind === 'context';
}

/** What stages make of records that stand in no store. */
export interface RecordTable {
  readonly rows: readonly TableRow[];
  /** Set where only so many of the newest records were looked at, and there are more. */
  readonly newestOnly?: number;
  /** The records that the rows stand for, where the stages have only chosen and sorted them. */
  readonly records?: readonly RecordRow[];
}

/**
 * Answers the stages of a query over records that stand in no store, which come newest first; groups are gathered as they come.
 *
 * @throws TreelineError `QUERY_INVALID` for `context`, which needs a store.
 */
export async function tableOfRecords(
  records: AsyncIterable<RecordRow>,
  stages: readonly Stage[],
): Promise<RecordTable> {
  const known = stages.filter((stage) => stage.kind !== 'context');
  if (known.length < stages.length) {
    throw new TreelineError(
      'QUERY_INVALID',
      'context needs a store: a file does not know the neighbours of a record',
    );
  }
  const [first, ...others] = known;
  if (first && isGrouping(first)) {
    const gatherer = gathererOf(first);
    for await (const record of records) gatherer.add(toTableRow(record));
    return { rows: others.reduce<TableRow[]>(applyStage, gatherer.rows()) };
  }
  const asked = first?.kind === 'limit' ? first.limit : undefined;
  const limit = asked ?? (known.some(needsAll) ? MAX_RECORDS : DEFAULT_RECORDS);
  const found = new Map<TableRow, RecordRow>();
  let isMore = false;
  for await (const record of records) {
    isMore = found.size === limit;
    if (isMore) break;
    found.set(toTableRow(record), record);
  }
  const rows = known.reduce<TableRow[]>(applyStage, [...found.keys()]);
  return {
    rows,
    ...(isMore && asked === undefined ? { newestOnly: limit } : {}),
    ...(known.every(keepsRecords) ? { records: rows.flatMap((row) => found.get(row) ?? []) } : {}),
  };
}

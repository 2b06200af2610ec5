import { LEVELS } from '@treeline/contract';
import type { Place } from './cursor.ts';
import { MS_PER_HOUR } from './ddl.ts';
import { escapeLike } from './filter-sql.ts';
import type { CheckedQuery } from './log-query.ts';
import { sql, type Sql } from './sql.ts';

/** How a query is walked: along one index in the order of time, with what the index can't answer checked row by row. */
export interface Plan {
  readonly index: 'logs_ts' | 'logs_source_type' | 'logs_errors' | 'logs_ref_id';
  /** Answered by the index. */
  readonly driving: readonly Sql[];
  /** Checked on each row that the index leads to. */
  readonly residual: readonly Sql[];
}

/** Part of a query's range, in its order: behind `after`, up to and with `end`. */
export interface Span {
  readonly after: Place | undefined;
  readonly end: Place | undefined;
}

/**
 * Chooses the index. It is named in the statements: the planner's choice can cost a factor of 1 500 (`level >= 50`, last 100, by an
 * index that leads with the level).
 */
export function planOf(query: CheckedQuery): Plan {
  const { source, type, refId, level } = query;
  const rest = (...without: (keyof Conditions)[]): Sql[] => {
    const conditions = columnConditions(query);
    return Object.entries(conditions).flatMap(([key, condition]) =>
      condition && !without.some((left) => left === key) ? [condition] : [],
    );
  };
  if (refId !== undefined) {
    return { index: 'logs_ref_id', driving: [sql('ref_id = ?', refId)], residual: rest('refId') };
  }
  if (source !== undefined && type !== undefined) {
    return {
      index: 'logs_source_type',
      driving: [sql('source = ? AND type = ?', source, type)],
      residual: rest('source', 'type'),
    };
  }
  if (level !== undefined && level >= LEVELS.error) {
    // The literal, since a partial index is used only where its condition stands in the query.
    const driving = [sql('level >= 50')];
    return { index: 'logs_errors', driving, residual: level === LEVELS.error ? rest('level') : rest() };
  }
  return { index: 'logs_ts', driving: [], residual: rest() };
}

interface Conditions {
  readonly source: Sql | undefined;
  readonly type: Sql | undefined;
  readonly refId: Sql | undefined;
  readonly level: Sql | undefined;
  readonly text: Sql | undefined;
  readonly filter: Sql | undefined;
}

function columnConditions({ source, type, refId, level, text, filter }: CheckedQuery): Conditions {
  return {
    source: source === undefined ? undefined : sql('source = ?', source),
    type: type === undefined ? undefined : sql('type = ?', type),
    refId: refId === undefined ? undefined : sql('ref_id = ?', refId),
    level: level === undefined ? undefined : sql('level >= ?', level),
    text: text === undefined ? undefined : sql(`msg LIKE ? ESCAPE '\\'`, `%${escapeLike(text)}%`),
    filter: filter?.condition,
  };
}

/** All conditions of a query, for a walk along no index. */
export function conditionsOf(query: CheckedQuery): Sql[] {
  const conditions = Object.values(columnConditions(query)).filter((condition) => condition !== undefined);
  return [...conditions, ...rangeOf(query, { after: undefined, end: undefined })];
}

/** The conditions that hold a statement within the query's times and the span. */
export function rangeOf(query: CheckedQuery, { after, end }: Span): Sql[] {
  const { sinceMs, untilMs, order } = query;
  return [
    ...(sinceMs === undefined ? [] : [sql('ts >= ?', sinceMs)]),
    ...(untilMs === undefined ? [] : [sql('ts < ?', untilMs)]),
    ...(after ? [sql(`(ts, id) ${order === 'asc' ? '>' : '<'} (?, ?)`, after.ts, after.id)] : []),
    ...(end ? [sql(`(ts, id) ${order === 'asc' ? '<=' : '>='} (?, ?)`, end.ts, end.id)] : []),
  ];
}

/**
 * Walks the hours that have rows with a ref_id, newest first, within the range: the index begins with the hour. Each step is one
 * look-up; a list of all hours between the oldest and the newest would break on one row from 1970.
 */
export function hoursWithRefs(query: CheckedQuery, { after }: Span): Sql {
  const { sinceMs, untilMs, order } = query;
  const newest = Math.min(untilMs ?? Infinity, order === 'desc' && after ? after.ts : Infinity);
  const oldest = Math.max(sinceMs ?? -Infinity, order === 'asc' && after ? after.ts : -Infinity);
  const bounds = [
    ...(newest === Infinity ? [] : [sql('ts / 3600000 <= ?', Math.trunc(newest / MS_PER_HOUR))]),
    ...(oldest === -Infinity ? [] : [sql('ts / 3600000 >= ?', Math.trunc(oldest / MS_PER_HOUR))]),
  ];
  const next = (below: string): string =>
    `SELECT ts / 3600000 FROM logs INDEXED BY logs_ref_id
     WHERE ${['ref_id IS NOT NULL', below, ...bounds.map(({ text }) => text)].filter(Boolean).join(' AND ')}
     ORDER BY ts / 3600000 DESC LIMIT 1`;
  const params = bounds.flatMap((bound) => bound.params);
  return {
    text: `WITH RECURSIVE hours (hour) AS (
      SELECT (${next('')})
      UNION ALL
      SELECT (${next('ts / 3600000 < hour')}) FROM hours WHERE hour IS NOT NULL)`,
    params: [...params, ...params],
  };
}

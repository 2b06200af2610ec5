import { sql, type Sql } from './sql.ts';

/** The words for a row's columns, as in the query language. */
const COLUMNS: Readonly<Record<string, string>> = {
  level: 'level',
  time: 'ts',
  ts: 'ts',
  msg: 'msg',
  source: 'source',
  type: 'type',
  ref: 'ref_id',
  ref_id: 'ref_id',
  refId: 'ref_id',
  trace: 'trace_id',
  trace_id: 'trace_id',
  span: 'span_id',
  span_id: 'span_id',
};

/** What `indexes` may name: `trace_id`, or a path into the record (`req.status`). */
export const INDEX_FIELD = /^[A-Za-z_$][\w$-]*(?:\.[A-Za-z_$][\w$-]*)*$/;

/** The column that a field stands for, or undefined where it is one of the record's own keys. */
export function columnOf(field: string): string | undefined {
  return Object.hasOwn(COLUMNS, field) ? COLUMNS[field] : undefined;
}

/** A field's value as JSON text; NULL where it is absent. */
export function jsonValue(field: string): Sql {
  const column = columnOf(field);
  return column ? sql(`json_quote(${column})`) : sql('payload -> ?', jsonPath(field.split('.')));
}

/** A field's value where it is a number, else NULL. */
export function numberValue(field: string): Sql {
  const column = columnOf(field);
  if (column) return sql(`CASE WHEN typeof(${column}) = 'integer' THEN ${column} END`);
  const path = jsonPath(field.split('.'));
  return sql("CASE WHEN json_type(payload, ?) IN ('integer', 'real') THEN payload ->> ? END", path, path);
}

/** A path of SQLite's JSON functions; keys stand in it as JSON strings. */
export function jsonPath(segments: readonly (string | number)[]): string {
  const steps = segments.map((segment) =>
    typeof segment === 'number' ? `[${segment}]` : `.${JSON.stringify(segment)}`,
  );
  return `$${steps.join('')}`;
}

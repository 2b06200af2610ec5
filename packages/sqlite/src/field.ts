import { TreelineError } from '@treeline/contract';
import { formatField, parseQuery, type ColumnName, type Field } from '@treeline/query';
import { sql, type Sql } from './sql.ts';

/** What stands for each column of the query language, and its type. */
export const COLUMN_SQL: Readonly<
  Record<ColumnName, readonly [expression: string, type: 'string' | 'number']>
> = {
  level: ['level', 'number'],
  time: ['ts', 'number'],
  id: ['id', 'number'],
  msg: ['msg', 'string'],
  // Empty where the record does not say who speaks.
  source: ["nullif(source, '')", 'string'],
  type: ['type', 'string'],
  ref: ['ref_id', 'string'],
  trace: ['trace_id', 'string'],
  span: ['span_id', 'string'],
};

/**
 * Reads a field as the query language writes it (`req.status`, `source`).
 *
 * @throws TreelineError `QUERY_INVALID` where it is none.
 */
export function parseField(text: string): Field {
  try {
    const { filter, stages } = parseQuery(`exists(${text})`);
    if (filter?.kind === 'exists' && stages.length === 0) return filter.field;
  } catch (error) {
    // Its column would be one of the condition that we have made.
    if (!(error instanceof TreelineError)) throw error;
  }
  throw new TreelineError(
    'QUERY_INVALID',
    `field must be one field, as req.status; got ${JSON.stringify(text)}`,
  );
}

/** A field's value as JSON text; NULL where it is absent. */
export function jsonValue(field: Field): Sql {
  if (field.kind === 'path') return sql('payload -> ?', pathOf(field));
  const [expression] = COLUMN_SQL[field.name];
  return sql(`CASE WHEN ${expression} IS NOT NULL THEN json_quote(${expression}) END`);
}

/** A field's value where it is a number, else NULL. */
export function numberValue(field: Field): Sql {
  if (field.kind === 'path') {
    const path = pathOf(field);
    return sql("CASE WHEN json_type(payload, ?) IN ('integer', 'real') THEN payload ->> ? END", path, path);
  }
  const [expression, type] = COLUMN_SQL[field.name];
  return sql(type === 'number' ? expression : 'NULL');
}

function pathOf(field: Extract<Field, { kind: 'path' }>): string {
  const segments = field.segments.filter((segment) => typeof segment !== 'object');
  if (segments.length === field.segments.length) return jsonPath(segments);
  throw new TreelineError(
    'QUERY_INVALID',
    `${formatField(field)} has many values in a record; name one of them, as in ${formatField({ kind: 'path', segments: field.segments.map((segment) => (typeof segment === 'object' ? 0 : segment)) })}`,
  );
}

/** A path of SQLite's JSON functions; keys stand in it as JSON strings. */
export function jsonPath(segments: readonly (string | number)[]): string {
  const steps = segments.map((segment) =>
    typeof segment === 'number' ? `[${segment}]` : `.${JSON.stringify(segment)}`,
  );
  return `$${steps.join('')}`;
}

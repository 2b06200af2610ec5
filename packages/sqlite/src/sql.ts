/** A piece of SQL with the values of its parameters; values never stand in the text. */
export interface Sql {
  readonly text: string;
  readonly params: readonly (string | number)[];
}

export function sql(text: string, ...params: (string | number)[]): Sql {
  return { text, params };
}

export function allOf(conditions: readonly Sql[]): Sql {
  return joined(conditions, ' AND ', '1');
}

export function anyOf(conditions: readonly Sql[]): Sql {
  return joined(conditions, ' OR ', '0');
}

/** As a balanced tree: SQLite counts the depth of a chain, and allows 1 000. */
function joined(conditions: readonly Sql[], operator: string, none: string): Sql {
  const [only] = conditions;
  if (!only) return sql(none);
  if (conditions.length === 1) return only;
  const middle = conditions.length >> 1;
  const left = joined(conditions.slice(0, middle), operator, none);
  const right = joined(conditions.slice(middle), operator, none);
  return { text: `(${left.text}${operator}${right.text})`, params: [...left.params, ...right.params] };
}

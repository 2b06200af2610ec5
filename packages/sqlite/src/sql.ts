/** A piece of SQL with the values of its parameters; values never stand in the text. */
export interface Sql {
  readonly text: string;
  readonly params: readonly (string | number)[];
}

export function sql(text: string, ...params: (string | number)[]): Sql {
  return { text, params };
}

export function allOf(conditions: readonly Sql[]): Sql {
  return {
    text: conditions.length === 0 ? '1' : conditions.map(({ text }) => text).join(' AND '),
    params: conditions.flatMap(({ params }) => params),
  };
}

import { nodeFrom, type ConfigNode, type Member } from './node.ts';

/** Fills in what a valibot schema has by default, so that every value that holds can be seen. */
export function withDefaults(schema: object, node: ConfigNode): ConfigNode {
  const entries = entriesOf(schema);
  if (!entries || node.kind !== 'object') return node;
  const members = new Map<string, Member>();
  for (const [key, entry] of Object.entries(entries)) {
    const given = node.members.get(key);
    if (given) members.set(key, { ...given, value: withDefaults(entry, given.value) });
    else addDefault(members, key, entry);
  }
  for (const [key, member] of node.members) if (!members.has(key)) members.set(key, member);
  return { ...node, members };
}

function addDefault(members: Map<string, Member>, key: string, entry: object): void {
  const value = defaultOf(entry);
  if (value === undefined) return;
  const origin = { kind: 'default' } as const;
  members.set(key, { keyOrigin: origin, value: withDefaults(entry, nodeFrom(value, origin)) });
}

/** The default that an optional entry has, as a config would write it. */
export function defaultOf(entry: object): unknown {
  return 'default' in entry && typeof entry.default !== 'function' ? entry.default : undefined;
}

/** The entries of an object schema, behind `optional` and `pipe`. */
export function entriesOf(schema: object): Record<string, object> | undefined {
  const inner = unwrapped(schema);
  return 'entries' in inner && isSchemas(inner.entries) ? inner.entries : undefined;
}

export function unwrapped(schema: object): object {
  let current = schema;
  while ('wrapped' in current && typeof current.wrapped === 'object' && current.wrapped !== null)
    current = current.wrapped;
  return current;
}

function isSchemas(value: unknown): value is Record<string, object> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The description that a schema has among its actions, or else what it is made from. */
export function descriptionOf(schema: object): string | undefined {
  const inner = unwrapped(schema);
  const pipe: unknown = 'pipe' in inner ? inner.pipe : undefined;
  if (!Array.isArray(pipe)) return undefined;
  const actions = pipe as object[];
  for (const action of actions) {
    if ('description' in action && typeof action.description === 'string') return action.description;
  }
  const [first] = actions;
  return first && first !== inner ? descriptionOf(first) : undefined;
}

import { nodeFrom, type ConfigNode, type Member } from './node.ts';
import { defaultOf, entriesOf } from './schema-shape.ts';

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

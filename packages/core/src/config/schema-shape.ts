import type { Path } from './node.ts';

/*
 * What a valibot schema says of itself. Schemas of other libraries say nothing, and are only asked to validate.
 */

/** The schemas of an object's keys, behind `optional` and `pipe`; undefined where it is no object schema. */
export function entriesOf(schema: unknown): Readonly<Record<string, object>> | undefined {
  const inner = unwrap(schema);
  return isRecord(inner) && isRecord(inner['entries'])
    ? (inner['entries'] as Record<string, object>)
    : undefined;
}

/** The keys that a schema knows at a path. */
export function keysOfSchema(schema: object, path: Path = []): string[] {
  let current: unknown = schema;
  for (const key of path) current = schemaAt(current, key);
  return Object.keys(entriesOf(current) ?? {});
}

/** The schema behind a key of an object or record, or of a list's elements. */
export function schemaAt(schema: unknown, key: string | number): unknown {
  const entries = entriesOf(schema);
  if (entries) return entries[key];
  const inner = unwrap(schema);
  return isRecord(inner) ? (inner['item'] ?? inner['value']) : undefined;
}

/** The default that an optional entry has, as a config would write it. */
export function defaultOf(entry: object): unknown {
  return 'default' in entry && typeof entry.default !== 'function' ? entry.default : undefined;
}

/** The description that a schema has among its actions, or else what it is made from. */
export function descriptionOf(schema: object): string | undefined {
  const inner = unwrap(schema);
  const pipe = isRecord(inner) && Array.isArray(inner['pipe']) ? (inner['pipe'] as unknown[]) : [];
  for (const action of pipe) {
    if (isRecord(action) && typeof action['description'] === 'string') return action['description'];
  }
  const [first] = pipe;
  return isRecord(first) && first !== inner ? descriptionOf(first) : undefined;
}

/** What a schema says of itself beyond its type: how it is reloaded, whether it is a secret, which variable sets it. */
export function metadataOf(schema: object): Readonly<Record<string, unknown>> {
  const inner = unwrap(schema);
  const pipe = isRecord(inner) && Array.isArray(inner['pipe']) ? (inner['pipe'] as unknown[]) : [];
  const found: Record<string, unknown> = {};
  for (const action of pipe) {
    if (!isRecord(action)) continue;
    if (isRecord(action['metadata'])) Object.assign(found, action['metadata']);
    else if (action !== inner && 'pipe' in action) Object.assign(found, metadataOf(action));
  }
  return found;
}

/** What an optional schema wraps. */
export function unwrap(schema: unknown): unknown {
  let current = schema;
  while (isRecord(current) && isRecord(current['wrapped'])) current = current['wrapped'];
  return current;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

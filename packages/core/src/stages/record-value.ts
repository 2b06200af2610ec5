import type { LogRecord } from '@treeline/contract';

/** Reads a field by its dotted path; a key that holds dots itself is found first. */
export function readField(record: LogRecord, path: string): unknown {
  if (Object.hasOwn(record, path)) return record[path];
  let value: unknown = record;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** The longest text of values that is kept whole; of longer ones the head and the length tell them apart. */
const MAX_KEY_CHARS = 512;

/** One text for the values of several fields: records with the same text are the same to a stage. */
export function fieldsKey(record: LogRecord, paths: readonly string[]): string {
  const text = JSON.stringify(paths.map((path) => readField(record, path) ?? null));
  return text.length <= MAX_KEY_CHARS
    ? text
    : `${text.length}:${hashText(text)}:${text.slice(0, MAX_KEY_CHARS)}`;
}

/** FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return spread(hash);
}

/** Spreads near numbers over all 32 bits (the finalizer of MurmurHash3). */
export function spread(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

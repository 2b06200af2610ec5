import type { Path } from './node.ts';
import { rootSchema, streamSchema } from './schema.ts';
import { entriesOf, metadataOf } from './schema-shape.ts';

/** What a reload does when a key of the config changes, as its schema says it. */
export function reloadClassOf(keys: Path): string {
  const [first, index, key] = keys;
  if (first !== 'streams') return reloadOf(rootSchema, first) === 'restart' ? 'needs a restart' : 'live';
  if (index === undefined || key === undefined) return 'streams come and go by name';
  if (Object.hasOwn(streamSchema.entries, key)) {
    const reload = reloadOf(streamSchema, key);
    if (reload === 'identity') return 'the stream is added or removed';
    return reload === 'swap' ? reload : 'live';
  }
  if (key === 'format') return 'live; a console is opened anew';
  return key === 'path' ? 'swap' : 'handover on the same path, else swap';
}

/** Keys of the config that a process takes for good. */
export function restartKeys(): string[] {
  return Object.keys(rootSchema.entries).filter((key) => reloadOf(rootSchema, key) === 'restart');
}

function reloadOf(schema: object, key: string | number | undefined): unknown {
  const entry = entriesOf(schema)?.[String(key)];
  return entry && metadataOf(entry)['reload'];
}

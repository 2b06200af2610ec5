import { createHash } from 'node:crypto';
import type { StreamConfig } from './config/config.ts';
import { isSecretKey } from './config/secret.ts';

/** What decides, beside a path or an url, where records land and as what; with the value that says nothing new. */
const PLACE_DEFAULTS: Readonly<Record<string, unknown>> = {
  protocol: 'http',
  method: 'POST',
  format: 'ndjson',
  index: undefined,
  database: undefined,
  table: undefined,
  collection: undefined,
  bucket: undefined,
  topic: undefined,
};

/** Names of an url's parameters that may hold what gives access. */
const SECRET_PARAMETER = /token|key|secret|pass|sig|auth|code|cred|jwt|session/i;

/**
 * Names a stream across restarts: by its name and its destination, without secrets. What a dead process left for a stream goes to the
 * one with the same key, and to no other.
 */
export function streamKey(config: StreamConfig): string {
  return `${config.name}@${destinationKey(config)}`;
}

/** Names a destination, without secrets: two streams with the same one write to the same place. */
export function destinationKey({ type, options }: StreamConfig): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([type, destinationOf(type, options)]))
    .digest('hex');
  return hash.slice(0, 16);
}

/**
 * How a file or database is written is not part of it: another rotation goes on with the same file. Of the options of others nothing is
 * known, any of them may name the place.
 */
function destinationOf(type: string, options: unknown): unknown {
  if (typeof options !== 'object' || options === null) return null;
  if (type === 'console') return 'stderr' in options && options.stderr === true ? 'stderr' : null;
  if (type === 'file' || type === 'sqlite') return 'path' in options ? options.path : null;
  if ('path' in options) return withPlace(options.path, options);
  if ('url' in options) return withPlace(withoutSecrets(String(options.url)), options);
  return openly(options);
}

function withPlace(place: unknown, options: object): unknown {
  const further = Object.entries(options).filter(
    ([key, value]) => Object.hasOwn(PLACE_DEFAULTS, key) && value !== PLACE_DEFAULTS[key],
  );
  return further.length === 0 ? place : [place, openly(Object.fromEntries(further))];
}

/** A value without secrets, and the same whatever the order of its keys. */
function openly(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('://') ? withoutSecrets(value) : value;
  if (Array.isArray(value)) return value.map(openly);
  if (typeof value !== 'object' || value === null) return value;
  const open = Object.entries(value).filter(([key]) => !isSecretKey(key));
  return open
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]): [string, unknown] => [key, openly(each)]);
}

/** User, password and parts of the query may hold a token, which is changed without the destination being another one. */
function withoutSecrets(url: string): string {
  try {
    const { protocol, host, pathname, searchParams } = new URL(url);
    const open = [...searchParams].filter(([name]) => !SECRET_PARAMETER.test(name));
    const query = open.length === 0 ? '' : `?${new URLSearchParams(open).toString()}`;
    return `${protocol}//${host}${pathname}${query}`;
  } catch {
    return '';
  }
}

import { createHash } from 'node:crypto';
import { TreelineError } from '@treeline/contract';
import type { Selection } from '@treeline/sqlite/archival';
import * as v from 'valibot';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const whole = v.pipe(v.number(), v.safeInteger());
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hex'));
const place = v.strictObject({ ts: whole, id: whole });

const memberSchema = v.strictObject({
  /** Where it begins in the file. */
  offset: count,
  bytes: count,
  /** Without compression. */
  rawBytes: count,
  rows: count,
  first: place,
  last: place,
  sha256: hash,
});

const manifestSchema = v.strictObject({
  version: v.literal(1),
  /** The id of the store that the rows come from. */
  store: v.string(),
  segment: v.pipe(whole, v.minValue(1)),
  /** The data file beside the manifest. */
  file: v.string(),
  /** SHA-256 of the manifest before this one; null for a store's first. */
  previous: v.nullable(hash),
  createdMs: whole,
  /** What was selected: rows before the cutoff with ids up to maxId, up to the last place. */
  selection: v.strictObject({ cutoffMs: v.number(), maxId: whole, last: place }),
  rows: count,
  ids: v.strictObject({ min: whole, max: whole }),
  times: v.strictObject({ firstMs: whole, lastMs: whole }),
  /** Number of rows by level number. */
  levels: v.record(v.string(), count),
  bytes: count,
  rawBytes: count,
  sha256: hash,
  /** Members of the gzip file, each of which decompresses by itself. */
  members: v.array(memberSchema),
});

export type Manifest = Readonly<v.InferOutput<typeof manifestSchema>>;
export type Member = Readonly<v.InferOutput<typeof memberSchema>>;

const headSchema = v.strictObject({
  version: v.literal(1),
  store: v.string(),
  /** The newest segment, and the SHA-256 of its manifest; 0 and null before the first. */
  segment: count,
  sha256: v.nullable(hash),
});

/** The end of a store's chain, which no later manifest vouches for. */
export type ChainHead = Readonly<v.InferOutput<typeof headSchema>>;

export const MANIFEST_VERSION = 1;

export function formatManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, undefined, 1)}\n`;
}

/**
 * Reads a manifest.
 *
 * @throws TreelineError `ARCHIVE_UNUSABLE` for a newer version, `ARCHIVE_DAMAGED` for what is none.
 */
export function parseManifest(text: string, path: string): Manifest {
  return parse(manifestSchema, text, path, 'manifest');
}

export function parseHead(text: string, path: string): ChainHead {
  return parse(headSchema, text, path, 'chain head');
}

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
  path: string,
  kind: string,
): v.InferOutput<Schema> {
  const value = parseJson(text);
  const version =
    typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (typeof version === 'number' && version > MANIFEST_VERSION) {
    throw new TreelineError(
      'ARCHIVE_UNUSABLE',
      `${path} has version ${version}, this version knows up to ${MANIFEST_VERSION}; update @treeline/archive`,
    );
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = issue.path?.map(({ key }) => String(key)).join('.');
  throw new TreelineError(
    'ARCHIVE_DAMAGED',
    `${path} is not a ${kind}: ${where === undefined ? 'it is no JSON object' : `${where}: ${issue.message}`}`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

export function isSameSelection(a: Selection, b: Selection): boolean {
  return (
    a.cutoffMs === b.cutoffMs && a.maxId === b.maxId && a.last.ts === b.last.ts && a.last.id === b.last.id
  );
}

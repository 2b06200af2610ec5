import fs from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { TreelineError } from '@treeline/contract';
import * as v from 'valibot';

const whole = v.pipe(v.number(), v.safeInteger());
const place = v.strictObject({ ts: whole, id: whole });

const planSchema = v.strictObject({
  segment: whole,
  /** Of the files, without a suffix. */
  name: v.string(),
  /** The folder, relative to the store's. */
  folder: v.string(),
  selection: v.strictObject({ cutoffMs: v.number(), maxId: whole, last: place }),
  first: place,
  plannedMs: whole,
  /** Set once the file stands for the rows: from then on they may be deleted. */
  sealed: v.optional(
    v.strictObject({ rows: whole, bytes: whole, sha256: v.string(), manifestSha256: v.string() }),
  ),
});

/** What the store knows of the segment under way, in its table `meta`: it names the next step after any crash. */
export type Plan = Readonly<v.InferOutput<typeof planSchema>>;
export type Seal = NonNullable<Plan['sealed']>;

const watermarkSchema = v.strictObject({
  /** The cut and the clock of the last run that took rows. */
  cutoffMs: v.number(),
  atMs: whole,
  maxId: whole,
  segment: whole,
});

/** How far a store has been archived. */
export type Watermark = Readonly<v.InferOutput<typeof watermarkSchema>>;

/** Keys of the table `meta`. */
export const META = {
  plan: 'archive_segment',
  watermark: 'archive_watermark',
  /** A JSON list of folders, relative to the store's: where its rows have gone. */
  folders: 'archive_folders',
  /** Changes with each segment that is sealed. */
  sealed: 'archive_sealed',
  /** When an archiver last came to its end. */
  lastRun: 'archive_last_run',
} as const;

interface MetaReader {
  readonly get: (key: string) => string | undefined;
}

export function readPlan(meta: MetaReader): Plan | undefined {
  return read(meta, META.plan, planSchema);
}

export function readWatermark(meta: MetaReader): Watermark | undefined {
  return read(meta, META.watermark, watermarkSchema);
}

/** The folders that rows of a store have gone to, absolute. */
export function readFolders(meta: MetaReader, store: string): string[] {
  return (read(meta, META.folders, v.array(v.string())) ?? []).map((folder) =>
    resolveFromStore(store, folder),
  );
}

function read<Schema extends v.GenericSchema>(
  meta: MetaReader,
  key: string,
  schema: Schema,
): v.InferOutput<Schema> | undefined {
  const text = meta.get(key);
  if (text === undefined) return undefined;
  const result = v.safeParse(schema, parseJson(text));
  if (result.success) return result.output;
  throw new TreelineError(
    'ARCHIVE_UNUSABLE',
    `${key} in the store's table meta is not one that this version reads; update @treeline/archive`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A folder as the store remembers it: the two may be moved together. */
export function relativeToStore(store: string, folder: string): string {
  return relative(storeFolder(store), resolve(folder)) || '.';
}

export function resolveFromStore(store: string, folder: string): string {
  return resolve(storeFolder(store), folder);
}

function storeFolder(store: string): string {
  return dirname(fs.realpathSync(store));
}

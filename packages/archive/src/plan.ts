import { relative, dirname, resolve } from 'node:path';
import fs from 'node:fs';
import type { Place, Selection } from '@treeline/sqlite/archival';

/** What the store knows of the segment under way, in its table `meta`: it names every crash's next step. */
export interface Plan {
  readonly segment: number;
  /** Of the files, without a suffix. */
  readonly name: string;
  /** The folder, relative to the store's. */
  readonly folder: string;
  readonly selection: Selection;
  readonly first: Place;
  readonly plannedMs: number;
  /** Set once the file stands for the rows: from then on they may be deleted. */
  readonly sealed?: Seal;
}

export interface Seal {
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** How far a store has been archived. */
export interface Watermark {
  /** The cut and the clock of the last run that took rows. */
  readonly cutoffMs: number;
  readonly atMs: number;
  readonly maxId: number;
  readonly segment: number;
}

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

export function parseMeta<T>(text: string | undefined): T | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

import fs from 'node:fs';
import { join } from 'node:path';
import { TreelineError } from '@treeline/contract';
import type { ArchivalStore } from '@treeline/sqlite/archival';
import { compareWithStore } from './compare.ts';
import { exportSegment, type SegmentContent } from './export-segment.ts';
import { failpoint } from './failpoint.ts';
import {
  codeOf,
  headPath,
  listSegments,
  readHead,
  readManifest,
  replaceFile,
  syncFolder,
  writeFault,
} from './folder.ts';
import { hashFile } from './hash-file.ts';
import {
  formatManifest,
  isSameSelection,
  MANIFEST_VERSION,
  sha256,
  type ChainHead,
  type Manifest,
} from './manifest.ts';
import type { Plan, Seal } from './plan.ts';
import { DATA_SUFFIX, MANIFEST_SUFFIX, PARTIAL_SUFFIX, storePrefix } from './segment-name.ts';

/** A file of the archive that stands for its rows. */
export interface PublishedSegment {
  readonly name: string;
  readonly folder: string;
  readonly rows: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly bytes: number;
  readonly rawBytes: number;
  readonly sha256: string;
  /** Of the manifest beside the file. */
  readonly manifestSha256: string;
}

export interface PublishOptions {
  readonly gzipLevel: number;
  readonly onRows: (step: 'export' | 'compare', rows: number) => void;
}

/**
 * Brings a planned segment to where its rows may be deleted: file and manifest durable under their names, the file compared with the
 * store. What a run before has left under these names is replaced, or kept where it holds. Undefined where the store has no such rows.
 */
export async function publishSegment(
  store: ArchivalStore,
  folder: string,
  plan: Plan,
  options: PublishOptions,
): Promise<PublishedSegment | undefined> {
  const before = findPublished(folder, plan);
  const manifest = before && (await holdsRows(store, folder, plan, before, options)) ? before : undefined;
  const published = manifest ?? (await writeSegment(store, folder, plan, options));
  if (!published) return undefined;
  const manifestSha256 = sha256(formatManifest(published));
  publishHead(folder, { version: 1, store: store.storeId, segment: plan.segment, sha256: manifestSha256 });
  failpoint('archive-head-published');
  const { rows, times, bytes, rawBytes } = published;
  return {
    name: plan.name,
    folder,
    rows,
    ...times,
    bytes,
    rawBytes,
    sha256: published.sha256,
    manifestSha256,
  };
}

/** The manifest that an interrupted run had published for this plan. */
function findPublished(folder: string, plan: Plan): Manifest | undefined {
  if (!fs.existsSync(join(folder, plan.name + MANIFEST_SUFFIX))) return undefined;
  try {
    const { manifest } = readManifest(folder, plan.name);
    return isSameSelection(manifest.selection, plan.selection) ? manifest : undefined;
  } catch (error) {
    if (error instanceof TreelineError && error.code === 'ARCHIVE_DAMAGED') return undefined;
    throw error;
  }
}

async function holdsRows(
  store: ArchivalStore,
  folder: string,
  plan: Plan,
  content: SegmentContent,
  { onRows }: PublishOptions,
): Promise<boolean> {
  const path = join(folder, plan.name + DATA_SUFFIX);
  try {
    await compareWithStore(store, plan.selection, path, content, (rows) => onRows('compare', rows));
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ARCHIVE_DAMAGED') return false;
    throw error;
  }
}

async function writeSegment(
  store: ArchivalStore,
  folder: string,
  plan: Plan,
  options: PublishOptions,
): Promise<Manifest | undefined> {
  const path = join(folder, plan.name + DATA_SUFFIX);
  const partial = path + PARTIAL_SUFFIX;
  // Left by a run that was killed: what is in it is not known.
  fs.rmSync(partial, { force: true });
  const content = await exportSegment(store, plan.selection, partial, {
    gzipLevel: options.gzipLevel,
    onRows: (rows) => options.onRows('export', rows),
  });
  if (!content) return undefined;
  try {
    await compareWithStore(store, plan.selection, partial, content, (rows) =>
      options.onRows('compare', rows),
    );
    failpoint('archive-compared');
    fs.renameSync(partial, path);
    failpoint('archive-published');
    syncFolder(folder);
  } catch (cause) {
    fs.rmSync(partial, { force: true });
    throw writeFault(path, cause);
  }
  // So that a missing head always means that somebody took it.
  if (!fs.existsSync(headPath(folder, store.storeId)) && findChain(folder, store.storeId).segment === 0)
    publishHead(folder, { version: 1, store: store.storeId, segment: 0, sha256: null });
  const manifest: Manifest = {
    version: MANIFEST_VERSION,
    store: store.storeId,
    segment: plan.segment,
    file: plan.name + DATA_SUFFIX,
    previous: previousHash(folder, store.storeId, plan.segment),
    createdMs: plan.plannedMs,
    selection: plan.selection,
    ...content,
  };
  replaceFile(join(folder, plan.name + MANIFEST_SUFFIX), formatManifest(manifest), () =>
    failpoint('archive-manifest-written'),
  );
  failpoint('archive-manifest-published');
  return manifest;
}

function publishHead(folder: string, head: ChainHead): void {
  replaceFile(headPath(folder, head.store), `${JSON.stringify(head)}\n`);
}

/** How far a store's chain goes in a folder. */
export interface Chain {
  /** The highest number that was given, 0 before the first. */
  readonly segment: number;
  /** The highest id that its rows have. */
  readonly maxId: number;
}

/**
 * Finds the end of a store's chain.
 *
 * @throws TreelineError `ARCHIVE_UNUSABLE` where a newer version wrote the last manifest.
 */
export function findChain(folder: string, storeId: string): Chain {
  const segments = listSegments(folder).filter(({ store }) => store === storePrefix(storeId));
  const head = readSafely(() => readHead(folder, storeId));
  let maxId = 0;
  for (const { name } of segments) {
    // Ids grow with the segments but for rows that came late: the last ones tell.
    const stored = readSafely(() => readManifest(folder, name));
    maxId = Math.max(maxId, stored?.manifest.selection.maxId ?? 0);
  }
  return { segment: Math.max(segments.at(-1)?.segment ?? 0, head?.segment ?? 0), maxId };
}

/** The hash that a new manifest carries on. The head vouches for the last one: an edited manifest must not get into the chain. */
function previousHash(folder: string, storeId: string, segment: number): string | null {
  const head = readSafely(() => readHead(folder, storeId));
  const last = listSegments(folder).findLast(
    (each) => each.store === storePrefix(storeId) && each.segment < segment,
  );
  if (head && head.segment < segment && head.segment >= (last?.segment ?? 0)) return head.sha256;
  return last ? sha256(fs.readFileSync(join(folder, last.name + MANIFEST_SUFFIX), 'utf8')) : null;
}

/** Damage is for verify to name; it must not keep rows from being archived. */
function readSafely<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof TreelineError && error.code === 'ARCHIVE_DAMAGED') return undefined;
    throw error;
  }
}

/** Whether a file that stands for rows is still what it was when it was sealed, and its manifest, without which nothing reads it. */
export async function isIntact(folder: string, { name }: Plan, seal: Seal): Promise<boolean> {
  const manifest = await hashFile(join(folder, name + MANIFEST_SUFFIX));
  if (manifest?.sha256 !== seal.manifestSha256) return false;
  const found = await hashFile(join(folder, name + DATA_SUFFIX));
  return found?.bytes === seal.bytes && found.sha256 === seal.sha256;
}

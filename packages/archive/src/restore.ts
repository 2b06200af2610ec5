import fs from 'node:fs';
import { join, resolve } from 'node:path';
import { messageOf, TreelineError } from '@treeline/contract';
import { openRestoreTarget, type RestoreTarget } from '@treeline/sqlite/archival';
import { expandFrom } from './compare.ts';
import { codeOf, listSegments, readManifest } from './folder.ts';
import type { Manifest } from './manifest.ts';
import { turn } from './pacing.ts';
import { DATA_SUFFIX, MANIFEST_SUFFIX } from './segment-name.ts';
import type { VerifyFinding } from './finding.ts';

export interface RestoreOptions {
  /** The store to make; it may be one that an earlier restore has begun. */
  readonly to: string;
  readonly onProgress?:
    | ((progress: { readonly segment: string; readonly rows: number; readonly total: number }) => void)
    | undefined;
}

export interface RestoreResult {
  /** Rows that are in the store now and were not before. */
  readonly restored: number;
  /** What could not be read; everything else was restored. */
  readonly findings: readonly VerifyFinding[];
  readonly ok: boolean;
}

/** Lines that are inserted in one transaction. */
const LINES_PER_TRANSACTION = 5000;

/**
 * Makes a store of the rows of an archive, with the ids that they had. Members that are damaged are named and left out; all others are
 * restored. The archive stays as it is.
 *
 * @throws TreelineError where the archive is missing or of several stores, or the target holds other rows.
 */
export async function restoreArchive(folder: string, options: RestoreOptions): Promise<RestoreResult> {
  const { onProgress } = options;
  const segments = listSegments(folder);
  if (segments.length === 0)
    throw new TreelineError('ARCHIVE_MISSING', `${resolve(folder)} holds no archive; check the path`);
  const findings: VerifyFinding[] = [];
  const manifests = readManifests(folder, segments, findings);
  const stores = new Set(manifests.map(({ manifest }) => manifest.store));
  const [store] = stores;
  if (stores.size > 1) {
    throw new TreelineError(
      'ARCHIVE_UNUSABLE',
      `${resolve(folder)} holds rows of ${stores.size} stores, whose ids may be the same; move the files of each (logs-<store>-…) into a folder of its own`,
    );
  }
  if (store === undefined) return { restored: 0, findings, ok: findings.length === 0 };
  const target = openRestoreTarget(options.to, store);
  try {
    let restored = 0;
    const total = manifests.reduce((sum, { manifest }) => sum + manifest.rows, 0);
    for (const { name, manifest } of manifests) {
      restored += await restoreSegment(join(folder, name + DATA_SUFFIX), manifest, target, findings);
      onProgress?.({ segment: name, rows: restored, total });
    }
    return { restored, findings, ok: findings.length === 0 };
  } finally {
    target.close();
  }
}

function readManifests(
  folder: string,
  segments: readonly { readonly name: string }[],
  findings: VerifyFinding[],
): { name: string; manifest: Manifest }[] {
  return segments.flatMap(({ name }) => {
    try {
      return [{ name, manifest: readManifest(folder, name).manifest }];
    } catch (error) {
      findings.push({ severity: 'damage', file: name + MANIFEST_SUFFIX, message: messageOf(error) });
      return [];
    }
  });
}

async function restoreSegment(
  path: string,
  manifest: Manifest,
  target: RestoreTarget,
  findings: VerifyFinding[],
): Promise<number> {
  let file: fs.promises.FileHandle;
  try {
    file = await fs.promises.open(path, 'r');
  } catch (error) {
    findings.push({
      severity: 'damage',
      file: manifest.file,
      message: `it can't be read (${codeOf(error)})`,
    });
    return 0;
  }
  let restored = 0;
  try {
    for (const member of manifest.members) {
      let raw: Buffer;
      try {
        raw = await expandFrom(file, path, member);
      } catch (error) {
        findings.push({ severity: 'damage', file: manifest.file, message: messageOf(error) });
        continue;
      }
      const lines = raw.toString().split('\n').slice(0, -1);
      for (let at = 0; at < lines.length; at += LINES_PER_TRANSACTION) {
        restored += target.insert(lines.slice(at, at + LINES_PER_TRANSACTION));
        await turn();
      }
    }
  } finally {
    await file.close();
  }
  return restored;
}

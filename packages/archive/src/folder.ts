import fs from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { messageOf, TreelineError } from '@treeline/contract';
import { parseHead, parseManifest, sha256, type ChainHead, type Manifest } from './manifest.ts';
import {
  MANIFEST_SUFFIX,
  parseSegmentName,
  PARTIAL_SUFFIX,
  storePrefix,
  type SegmentName,
} from './segment-name.ts';

/** A manifest as it lies in the folder. */
export interface StoredManifest {
  readonly path: string;
  readonly sha256: string;
  readonly manifest: Manifest;
}

/**
 * Makes an archive's folder, durably, where it is missing. The path is absolute.
 *
 * @throws TreelineError `DESTINATION_UNUSABLE` where something else is in the way.
 */
export function makeFolder(folder: string): void {
  try {
    const first = fs.mkdirSync(folder, { recursive: true });
    // Rows that are deleted must not depend on a folder that a power cut takes back.
    if (first === undefined) return;
    for (let made = folder; made.length >= first.length; made = dirname(made)) {
      syncFolder(dirname(made));
    }
  } catch (cause) {
    throw new TreelineError(
      'DESTINATION_UNUSABLE',
      `the archive ${folder} can't be a folder (${codeOf(cause)}); move what is in the way, or choose another folder`,
      { cause },
    );
  }
}

/**
 * The names of an archive's files in the order of their segments, by their manifests: data without one is not there yet.
 *
 * @throws TreelineError `ARCHIVE_MISSING` where there is no such folder.
 */
export function listSegments(folder: string): (SegmentName & { readonly name: string })[] {
  return readNames(folder)
    .flatMap((file) => {
      if (!file.endsWith(MANIFEST_SUFFIX)) return [];
      const name = file.slice(0, -MANIFEST_SUFFIX.length);
      const parsed = parseSegmentName(name);
      return parsed ? [{ ...parsed, name }] : [];
    })
    .toSorted((a, b) => (a.store < b.store ? -1 : a.store > b.store ? 1 : a.segment - b.segment));
}

/** All names in a folder; see `listSegments`. */
export function readNames(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (cause) {
    const isMissing = codeOf(cause) === 'ENOENT';
    throw new TreelineError(
      isMissing ? 'ARCHIVE_MISSING' : 'ARCHIVE_UNUSABLE',
      isMissing
        ? `the archive ${resolve(folder)} does not exist; check the path`
        : `the archive ${resolve(folder)} is no folder that can be read (${codeOf(cause)}); check the path`,
      { cause },
    );
  }
}

/**
 * Reads a manifest.
 *
 * @throws TreelineError that names it.
 */
export function readManifest(folder: string, name: string): StoredManifest {
  const path = join(folder, name + MANIFEST_SUFFIX);
  const text = readText(path);
  return { path, sha256: sha256(text), manifest: parseManifest(text, path) };
}

export function headPath(folder: string, storeId: string): string {
  return join(folder, `logs-${storePrefix(storeId)}.head.json`);
}

/** The end of a store's chain; undefined where nothing was archived there. */
export function readHead(folder: string, storeId: string): ChainHead | undefined {
  const path = headPath(folder, storeId);
  return fs.existsSync(path) ? parseHead(readText(path), path) : undefined;
}

function readText(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TreelineError('ARCHIVE_DAMAGED', `${path} can't be read (${codeOf(cause)})`, { cause });
  }
}

/** Writes a small file so that after any crash the old or the new one is there whole; `written` is called in between. */
export function replaceFile(path: string, text: string, written: () => void = () => undefined): void {
  const partial = path + PARTIAL_SUFFIX;
  try {
    fs.writeFileSync(partial, text, { flush: true });
    written();
    fs.renameSync(partial, path);
    syncFolder(dirname(path));
  } catch (cause) {
    fs.rmSync(partial, { force: true });
    throw writeFault(path, cause);
  }
}

/** Makes names durable. */
export function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Why a file of the archive can't be written. */
export function writeFault(path: string, cause: unknown): TreelineError {
  if (cause instanceof TreelineError) return cause;
  const reason =
    codeOf(cause) === 'ENOSPC' || codeOf(cause) === 'EDQUOT'
      ? 'the disk is full; make room on it'
      : `${messageOf(cause)}; check the folder`;
  return new TreelineError(
    'DESTINATION_UNUSABLE',
    `${path} can't be written: ${reason}. The rows stay in the store until the next run`,
    { cause },
  );
}

export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : messageOf(thrown);
}

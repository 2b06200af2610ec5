import fs from 'node:fs';
import { join } from 'node:path';
import { messageOf, TreelineError } from '@treeline/contract';
import { readArchivedLine } from '@treeline/sqlite/archival';
import { expandFrom } from './compare.ts';
import { listSegments, readHead, readManifest, readNames, type StoredManifest } from './folder.ts';
import { hashFile } from './hash-file.ts';
import type { Manifest, Member } from './manifest.ts';
import { turn } from './pacing.ts';
import {
  DATA_SUFFIX,
  formatSegmentName,
  MANIFEST_SUFFIX,
  parseSegmentName,
  storePrefix,
} from './segment-name.ts';

/** Something that is wrong with an archive, or only odd. */
export interface VerifyFinding {
  readonly severity: 'damage' | 'note';
  /** The file's name. */
  readonly file: string;
  readonly message: string;
}

export interface VerifyResult {
  readonly segments: number;
  readonly rows: number;
  readonly bytes: number;
  readonly findings: readonly VerifyFinding[];
  /** No damage; there may be notes. */
  readonly ok: boolean;
}

/** Tells which segment is being read, and how many there are. */
export type VerifyProgress = (progress: {
  readonly segment: string;
  readonly done: number;
  readonly total: number;
}) => void;

/**
 * Reads an archive from end to end and proves it: every file against its manifest, every row against its counts and ranges, every
 * manifest against the one behind it, the last one against the chain's head.
 *
 * @throws TreelineError `ARCHIVE_MISSING`, `ARCHIVE_UNUSABLE` where there is no such folder or nothing is archived there.
 */
export async function verifyArchive(folder: string, onProgress?: VerifyProgress): Promise<VerifyResult> {
  const segments = listSegments(folder);
  const names = readNames(folder);
  const heads = names.filter((name) => /^logs-[0-9a-f]{8}\.head\.json$/.test(name));
  if (segments.length === 0 && heads.length === 0) {
    throw new TreelineError('ARCHIVE_MISSING', `${folder} holds no archive; check the path`);
  }
  const findings: VerifyFinding[] = [];
  const damage = (file: string, message: string): void => {
    findings.push({ severity: 'damage', file, message });
  };
  const manifests = new Map<string, StoredManifest>();
  let rows = 0;
  let bytes = 0;
  for (const [done, { name }] of segments.entries()) {
    onProgress?.({ segment: name, done, total: segments.length });
    try {
      const stored = readManifest(folder, name);
      manifests.set(name, stored);
      rows += stored.manifest.rows;
      bytes += stored.manifest.bytes;
      for (const message of checkName(name, stored.manifest)) damage(name + MANIFEST_SUFFIX, message);
      for (const message of await verifyFile(join(folder, name + DATA_SUFFIX), stored.manifest)) {
        damage(name + DATA_SUFFIX, message);
      }
    } catch (error) {
      if (!(error instanceof TreelineError)) throw error;
      damage(name + MANIFEST_SUFFIX, error.message);
    }
  }
  const stores = new Set([...segments.map(({ store }) => store), ...heads.map((name) => name.slice(5, 13))]);
  for (const store of stores) {
    const own = segments.filter((each) => each.store === store);
    findings.push(...verifyChain(folder, store, own, manifests));
  }
  findings.push(...findLeftovers(names, segments));
  return {
    segments: segments.length,
    rows,
    bytes,
    findings,
    ok: findings.every(({ severity }) => severity === 'note'),
  };
}

function checkName(name: string, manifest: Manifest): string[] {
  const { store, segment, times, file } = manifest;
  const expected = formatSegmentName({ store: storePrefix(store), segment, ...times });
  const selected = formatSegmentName({
    store: storePrefix(store),
    segment,
    firstMs: times.firstMs,
    lastMs: manifest.selection.last.ts,
  });
  // Rows at either end may have left the store between the plan, which gives the name, and the file.
  const parsed = parseSegmentName(name);
  const covers =
    parsed !== undefined &&
    parsed.store === storePrefix(store) &&
    parsed.segment === segment &&
    parsed.firstMs <= times.firstMs &&
    parsed.lastMs >= times.lastMs;
  if (file === name + DATA_SUFFIX && (name === expected || name === selected || covers)) return [];
  return [`it is the manifest of ${file} and of other times than its name says; it was renamed or edited`];
}

/** What is wrong with a data file. */
async function verifyFile(path: string, manifest: Manifest): Promise<string[]> {
  const found = await hashFile(path);
  if (!found) return ['it is missing'];
  const faults: string[] = [];
  const size = found.bytes - manifest.bytes;
  if (size < 0) faults.push(`it is truncated: ${-size} of ${manifest.bytes} bytes are missing`);
  if (size > 0) faults.push(`it has ${size} bytes more than its manifest says`);
  if (size === 0 && found.sha256 !== manifest.sha256)
    faults.push('bytes were changed: its SHA-256 differs from the manifest');
  const file = await fs.promises.open(path, 'r');
  try {
    faults.push(...(await verifyMembers(file, path, manifest)));
  } finally {
    await file.close();
  }
  return faults;
}

async function verifyMembers(
  file: fs.promises.FileHandle,
  path: string,
  manifest: Manifest,
): Promise<string[]> {
  const faults: string[] = [];
  const tally = new Tally();
  for (const member of manifest.members) {
    try {
      tally.add(await expandFrom(file, path, member), member);
    } catch (error) {
      faults.push(messageOf(error).replace(`${path}: `, ''));
    }
    await turn();
  }
  if (faults.length > 0) return faults;
  return tally.compare(manifest);
}

/** Counts what is really in a file. */
class Tally {
  #rows = 0;
  #rawBytes = 0;
  #ids = { min: Infinity, max: -Infinity };
  #last = { ts: -Infinity, id: 0 };
  #firstMs: number | undefined;
  readonly #levels = new Map<number, number>();
  readonly #faults: string[] = [];

  add(raw: Buffer, member: Member): void {
    let rows = 0;
    this.#rawBytes += raw.length;
    for (let at = 0; at < raw.length; rows++) {
      const end = raw.indexOf(0x0a, at);
      const [id, , , , ts, level] = readArchivedLine(raw.toString('utf8', at, end === -1 ? raw.length : end));
      at = end === -1 ? raw.length : end + 1;
      if (ts < this.#last.ts || (ts === this.#last.ts && id <= this.#last.id))
        this.#fault('its rows are not in order');
      this.#last = { ts, id };
      this.#firstMs ??= ts;
      this.#ids = { min: Math.min(this.#ids.min, id), max: Math.max(this.#ids.max, id) };
      this.#levels.set(level, (this.#levels.get(level) ?? 0) + 1);
    }
    this.#rows += rows;
    if (rows !== member.rows) this.#fault(`a member holds ${rows} rows, its manifest says ${member.rows}`);
  }

  compare(manifest: Manifest): string[] {
    const counted = {
      rows: this.#rows,
      rawBytes: this.#rawBytes,
      'ids.min': this.#ids.min,
      'ids.max': this.#ids.max,
      'times.firstMs': this.#firstMs,
      'times.lastMs': this.#last.ts,
    };
    const told = {
      rows: manifest.rows,
      rawBytes: manifest.rawBytes,
      'ids.min': manifest.ids.min,
      'ids.max': manifest.ids.max,
      'times.firstMs': manifest.times.firstMs,
      'times.lastMs': manifest.times.lastMs,
    };
    for (const [key, value] of Object.entries(counted)) {
      const said = told[key as keyof typeof told];
      if (said !== value) this.#fault(`${key} is ${String(value)}, its manifest says ${said}`);
    }
    for (const level of new Set([...this.#levels.keys(), ...Object.keys(manifest.levels).map(Number)])) {
      const [has, said] = [this.#levels.get(level) ?? 0, manifest.levels[String(level)] ?? 0];
      if (has !== said) this.#fault(`it holds ${has} rows of level ${level}, its manifest says ${said}`);
    }
    return this.#faults;
  }

  #fault(message: string): void {
    if (!this.#faults.includes(message)) this.#faults.push(message);
  }
}

/** What is wrong with the chain of a store's manifests. */
function verifyChain(
  folder: string,
  store: string,
  segments: readonly { readonly name: string; readonly segment: number }[],
  manifests: ReadonlyMap<string, StoredManifest>,
): VerifyFinding[] {
  const findings: VerifyFinding[] = [];
  const damage = (file: string, message: string): void => {
    findings.push({ severity: 'damage', file, message });
  };
  let before: { readonly segment: number; readonly stored: StoredManifest | undefined } = {
    segment: 0,
    stored: undefined,
  };
  for (const { name, segment } of segments) {
    const stored = manifests.get(name);
    const file = name + MANIFEST_SUFFIX;
    if (segment === before.segment) damage(file, `segment ${segment} is there twice`);
    for (let missing = before.segment + 1; missing < segment; missing++) {
      damage(segmentFile(store, missing), `segment ${missing} is missing: there is a gap before ${file}`);
    }
    const follows = segment === before.segment + 1;
    const expected = segment === 1 ? null : before.stored?.sha256;
    if (stored && follows && expected !== undefined && stored.manifest.previous !== expected) {
      damage(
        before.stored ? fileName(before.stored) : file,
        `the chain is broken: ${file} was written after another manifest than this one; one of the two was edited or replaced`,
      );
    }
    before = { segment, stored };
  }
  return [...findings, ...verifyHead(folder, store, before)];
}

function verifyHead(
  folder: string,
  store: string,
  last: { readonly segment: number; readonly stored: StoredManifest | undefined },
): VerifyFinding[] {
  const file = `logs-${store}.head.json`;
  const damage = (name: string, message: string): VerifyFinding[] => [
    { severity: 'damage', file: name, message },
  ];
  let head;
  try {
    head = readHead(folder, store);
  } catch (error) {
    return damage(file, messageOf(error));
  }
  if (!head) return damage(file, 'it is missing: nothing vouches for the last manifest');
  if (head.segment > last.segment) {
    const missing = Array.from(
      { length: head.segment - last.segment },
      (_, index) => last.segment + 1 + index,
    );
    return missing.flatMap((segment) =>
      damage(
        segmentFile(store, segment),
        `segment ${segment} is missing: the archive goes up to ${head.segment}`,
      ),
    );
  }
  if (head.segment < last.segment) {
    // A run that was killed between the two; the next one writes the head.
    return [
      {
        severity: 'note',
        file,
        message: `it ends at segment ${head.segment}; the next run brings it up to ${last.segment}`,
      },
    ];
  }
  if (last.stored && head.sha256 !== last.stored.sha256) {
    return damage(
      fileName(last.stored),
      'it is not the manifest that was written: it was edited or replaced',
    );
  }
  return [];
}

/** Files that belong to nothing. */
function findLeftovers(
  names: readonly string[],
  segments: readonly { readonly name: string }[],
): VerifyFinding[] {
  const known = new Set(segments.map(({ name }) => name));
  return names.flatMap((file): VerifyFinding[] => {
    const name = file.replace(/\.jsonl\.gz(\.tmp)?$/, '');
    if (name === file || known.has(name) || !parseSegmentName(name)) return [];
    return [{ severity: 'note', file, message: 'it has no manifest: a run that was interrupted left it' }];
  });
}

function segmentFile(store: string, segment: number): string {
  return `logs-${store}-${String(segment).padStart(6, '0')}-…`;
}

function fileName(stored: StoredManifest): string {
  return stored.path.slice(stored.path.lastIndexOf('/') + 1);
}

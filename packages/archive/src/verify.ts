import fs from 'node:fs';
import { join } from 'node:path';
import { messageOf, TreelineError } from '@treeline/contract';
import { readArchivedLine } from '@treeline/sqlite/archival';
import { expandFrom } from './compare.ts';
import { codeOf, listSegments, readManifest, readNames, type StoredManifest } from './folder.ts';
import { findLeftovers, verifyChain } from './verify-chain.ts';
import type { VerifyFinding } from './finding.ts';
import { hashFile } from './hash-file.ts';
import type { Manifest, Member } from './manifest.ts';
import { turn } from './pacing.ts';
import { DATA_SUFFIX, MANIFEST_SUFFIX, parseSegmentName, storePrefix } from './segment-name.ts';

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
  const heads = names.flatMap((name) => /^logs-([0-9a-f]{8})\.head\.json$/.exec(name)?.[1] ?? []);
  if (segments.length === 0 && heads.length === 0) {
    throw new TreelineError('ARCHIVE_MISSING', `${folder} holds no archive; check the path`);
  }
  const findings: VerifyFinding[] = [];
  const manifests = new Map<string, StoredManifest>();
  for (const [done, { name }] of segments.entries()) {
    onProgress?.({ segment: name, done, total: segments.length });
    const { stored, faults } = await verifySegment(folder, name);
    if (stored) manifests.set(name, stored);
    findings.push(...faults);
  }
  for (const store of new Set([...segments.map((segment) => segment.store), ...heads])) {
    const own = segments.filter((segment) => segment.store === store);
    findings.push(...verifyChain(folder, store, own, manifests));
  }
  findings.push(...findLeftovers(names, segments));
  const told = [...manifests.values()].map(({ manifest }) => manifest);
  return {
    segments: segments.length,
    rows: told.reduce((sum, { rows }) => sum + rows, 0),
    bytes: told.reduce((sum, { bytes }) => sum + bytes, 0),
    findings,
    ok: findings.every(({ severity }) => severity === 'note'),
  };
}

/** A segment by itself: its manifest, and its data file against that. */
async function verifySegment(
  folder: string,
  name: string,
): Promise<{ stored: StoredManifest | undefined; faults: VerifyFinding[] }> {
  const damage =
    (suffix: string) =>
    (message: string): VerifyFinding => ({
      severity: 'damage',
      file: name + suffix,
      message,
    });
  let stored: StoredManifest;
  try {
    stored = readManifest(folder, name);
  } catch (error) {
    if (!(error instanceof TreelineError)) throw error;
    return { stored: undefined, faults: [damage(MANIFEST_SUFFIX)(error.message)] };
  }
  const ofName = checkName(name, stored.manifest);
  const ofFile = await verifyFile(join(folder, name + DATA_SUFFIX), stored.manifest);
  return {
    stored,
    faults: [...ofName.map(damage(MANIFEST_SUFFIX)), ...ofFile.map(damage(DATA_SUFFIX))],
  };
}

/** Rows at either end may have left the store between the plan, which gives the name, and the file: the name covers the rows. */
function checkName(name: string, { store, segment, times, file }: Manifest): string[] {
  const parsed = parseSegmentName(name);
  const fits =
    parsed !== undefined &&
    file === name + DATA_SUFFIX &&
    parsed.store === storePrefix(store) &&
    parsed.segment === segment &&
    parsed.firstMs <= times.firstMs &&
    parsed.lastMs >= times.lastMs;
  return fits
    ? []
    : [`it is the manifest of ${file} and of other times than its name says; it was renamed or edited`];
}

/** What is wrong with a data file. */
async function verifyFile(path: string, manifest: Manifest): Promise<string[]> {
  try {
    return await verifyContent(path, manifest);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return [`it can't be read (${codeOf(error)})`];
  }
}

async function verifyContent(path: string, manifest: Manifest): Promise<string[]> {
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

import fs from 'node:fs';
import { resolve } from 'node:path';
import { TreelineError } from '@treeline/contract';
import {
  acquireArchiveLease,
  openArchivalStore,
  type ArchivalStore,
  type MetaEntries,
} from '@treeline/sqlite/archival';
import { failpoint } from './failpoint.ts';
import { listSegments, makeFolder } from './folder.ts';
import { checkOptions, type ArchiveOptions, type CheckedArchiveOptions } from './options.ts';
import { Pacing } from './pacing.ts';
import {
  META,
  readFolders,
  readPlan,
  readWatermark,
  relativeToStore,
  resolveFromStore,
  type Plan,
  type Watermark,
} from './plan.ts';
import { findChain, isIntact, publishSegment, type PublishedSegment } from './publish.ts';
import { formatSegmentName, storePrefix } from './segment-name.ts';

/** A step of a run, as it goes on. */
export interface ArchiveProgress {
  readonly step: 'export' | 'compare' | 'delete' | 'reclaim';
  /** The file, without a suffix. */
  readonly segment: string;
  /** Rows that are done with; pages left to give back in the step `reclaim`. */
  readonly done: number;
  /** Of so many; undefined where that is not known. */
  readonly total: number | undefined;
}

/** Something that should be known, and does not stop the run. */
export interface ArchiveNotice {
  readonly kind: 'clock-set-back' | 'store-set-back' | 'segment-damaged' | 'continued' | 'dropped';
  readonly message: string;
}

export interface ArchiveHooks {
  /** Told of each file once its rows have left the store. */
  readonly onSegment?: (segment: PublishedSegment) => void;
  readonly onProgress?: (progress: ArchiveProgress) => void;
  readonly onNotice?: (notice: ArchiveNotice) => void;
}

/** A segment of a run before, whose rows still had to be deleted. */
export interface FinishedSegment {
  readonly name: string;
  readonly folder: string;
  readonly deleted: number;
}

/** What a run did. */
export interface ArchiveResult {
  /** Rows before this time were to go. */
  readonly cutoffMs: number;
  readonly segments: readonly PublishedSegment[];
  /** Rows that were deleted: all of them are in the archive. */
  readonly deleted: number;
  /** A segment that a run before had archived, in the folder and up to the time asked for then: its rows are among the deleted. */
  readonly finished: FinishedSegment | undefined;
  /** Whether a file of the archive that a run before had finished was found damaged. */
  readonly damaged: boolean;
}

/**
 * Moves rows that are older from a store into the folder of an archive: written, synced, read back and compared with the store, and only
 * then deleted. It works in this thread, in steps of some milliseconds; programs may go on writing. Whatever ends it, the next run goes
 * on where it stood.
 *
 * @throws TreelineError `LEASE_HELD` where another archiver is at work; `DESTINATION_UNUSABLE` where the folder or the disk does not take
 * it, `ARCHIVE_UNUSABLE` where a newer version wrote there, `STORE_MISSING`.
 */
export async function archive(
  store: string | { readonly path: string },
  options: ArchiveOptions,
  hooks: ArchiveHooks = {},
): Promise<ArchiveResult> {
  const checked = checkOptions(options);
  const path = typeof store === 'string' ? store : store.path;
  const db = openArchivalStore(path);
  try {
    const lease = acquireArchiveLease(path);
    try {
      failpoint('archive-lease-taken');
      return await new Run(path, db, checked, hooks).run();
    } finally {
      lease.release();
    }
  } finally {
    db.close();
  }
}

/** Rows and pages that a transaction begins with; each adapts itself. */
const FIRST_DELETE_ROWS = 500;
const MAX_DELETE_ROWS = 5000;
const FIRST_RECLAIM_PAGES = 200;
const MAX_RECLAIM_PAGES = 2000;

/** A clock that is behind the last run by less may only have been adjusted. */
const CLOCK_TOLERANCE_MS = 60_000;

class Run {
  readonly #path: string;
  readonly #db: ArchivalStore;
  readonly #options: CheckedArchiveOptions;
  readonly #hooks: ArchiveHooks;
  readonly #meta = { get: (key: string): string | undefined => this.#db.getMeta(key) };
  readonly #segments: PublishedSegment[] = [];
  #deleted = 0;
  #finished: FinishedSegment | undefined;
  #damaged = false;

  constructor(path: string, db: ArchivalStore, options: CheckedArchiveOptions, hooks: ArchiveHooks) {
    this.#path = path;
    this.#db = db;
    this.#options = options;
    this.#hooks = hooks;
  }

  async run(): Promise<ArchiveResult> {
    const folder = resolve(this.#options.to);
    makeFolder(folder);
    const nowMs = Date.now();
    const cutoffMs = nowMs - this.#options.olderThan;
    this.#checkClock(nowMs);
    this.#checkIds(folder);
    this.#adoptFolder(folder);
    const begun = readPlan(this.#meta);
    if (begun) await this.#continue(begun, folder, cutoffMs);
    for (let plan = this.#plan(folder, cutoffMs); plan; plan = this.#plan(folder, cutoffMs)) {
      await this.#archiveSegment(plan);
    }
    this.#db.setMeta({ [META.lastRun]: String(nowMs) });
    failpoint('archive-done');
    return {
      cutoffMs,
      segments: this.#segments,
      deleted: this.#deleted,
      finished: this.#finished,
      damaged: this.#damaged,
    };
  }

  /** Archives what a run before had planned, where this run is to archive it too, or deletes what is archived already. */
  async #continue(plan: Plan, asked: string, cutoffMs: number): Promise<void> {
    const folder = resolveFromStore(this.#path, plan.folder);
    if (plan.sealed) {
      if (await isIntact(folder, plan, plan.sealed)) {
        this.#notice('continued', `${plan.name} was archived before; its rows are deleted now`);
        await this.#delete(plan);
        this.#finished = { name: plan.name, folder, deleted: this.#deleted };
        return;
      }
      this.#damaged = true;
      const message = `${plan.name} in ${folder} was archived before and is missing or damaged now; the rows that are still in the store are archived again, none is deleted before`;
      this.#notice('segment-damaged', message);
    } else if (folder !== asked || plan.selection.cutoffMs > cutoffMs) {
      const cut = new Date(plan.selection.cutoffMs).toISOString();
      const message = `${plan.name} was begun before, for rows before ${cut} and in ${folder}; this run was asked for something else, so it is dropped, and no row has left the store for it`;
      this.#notice('dropped', message);
    } else if (this.#isStillFree(folder, plan)) {
      this.#notice('continued', `${plan.name} was begun before and is gone on with`);
      await this.#archiveSegment(plan);
      return;
    }
    this.#db.setMeta({ [META.plan]: undefined });
  }

  /** A plan holds no rows: where its folder has gone, or got another segment of that number, a new one is made. */
  #isStillFree(folder: string, plan: Plan): boolean {
    try {
      const others = listSegments(folder).filter(({ store }) => store === storePrefix(this.#db.storeId));
      return !others.some(({ segment, name }) => segment >= plan.segment && name !== plan.name);
    } catch (error) {
      if (error instanceof TreelineError && error.code === 'ARCHIVE_MISSING') return false;
      throw error;
    }
  }

  #plan(folder: string, cutoffMs: number): Plan | undefined {
    const selected = this.#db.select(cutoffMs, this.#options.maxRowsPerFile);
    if (!selected) return undefined;
    const { first, ...selection } = selected;
    const { storeId } = this.#db;
    const segment = findChain(folder, storeId).segment + 1;
    const [firstMs, lastMs] = [first.ts, selection.last.ts];
    const plan: Plan = {
      segment,
      name: formatSegmentName({ store: storePrefix(storeId), segment, firstMs, lastMs }),
      folder: relativeToStore(this.#path, folder),
      selection,
      first,
      plannedMs: Date.now(),
    };
    this.#db.setMeta({ [META.plan]: JSON.stringify(plan) });
    failpoint('archive-planned');
    return plan;
  }

  async #archiveSegment(plan: Plan): Promise<void> {
    const folder = resolveFromStore(this.#path, plan.folder);
    const total = this.#db.countSelected(plan.selection);
    const published = await publishSegment(this.#db, folder, plan, {
      gzipLevel: this.#options.gzipLevel,
      onRows: (step, done) => this.#progress({ step, segment: plan.name, done, total }),
    });
    if (!published) {
      // Its rows have left the store in the meantime.
      this.#db.setMeta({ [META.plan]: undefined });
      return;
    }
    const { rows, bytes, sha256, manifestSha256 } = published;
    const sealed: Plan = { ...plan, sealed: { rows, bytes, sha256, manifestSha256 } };
    this.#db.setMeta({
      [META.plan]: JSON.stringify(sealed),
      ...this.#foldersEntry([...readFolders(this.#meta, this.#path), folder]),
    });
    failpoint('archive-sealed');
    this.#segments.push(published);
    await this.#delete(sealed);
    this.#hooks.onSegment?.(published);
  }

  async #delete(plan: Plan): Promise<void> {
    const { selection, name, segment } = plan;
    const total = this.#db.countSelected(selection);
    const before = readWatermark(this.#meta);
    const watermark: Watermark = {
      cutoffMs: Math.max(selection.cutoffMs, before?.cutoffMs ?? -Infinity),
      atMs: Math.max(plan.plannedMs, before?.atMs ?? -Infinity),
      maxId: Math.max(selection.maxId, before?.maxId ?? 0),
      segment,
    };
    const entries = { [META.watermark]: JSON.stringify(watermark), [META.plan]: undefined };
    const pacing = new Pacing(FIRST_DELETE_ROWS, MAX_DELETE_ROWS, () => this.#db.dataVersion());
    let deleted = 0;
    for (let done = false; !done;) {
      const step = await pacing.step((size) => this.#db.deletePage(selection, size, entries));
      ({ done } = step);
      deleted += step.deleted;
      this.#progress({ step: 'delete', segment: name, done: deleted, total });
      if (!done) failpoint('archive-delete-midway');
    }
    this.#deleted += deleted;
    failpoint('archive-deleted');
    await this.#reclaim(name);
  }

  async #reclaim(segment: string): Promise<void> {
    const pacing = new Pacing(FIRST_RECLAIM_PAGES, MAX_RECLAIM_PAGES, () => this.#db.dataVersion());
    for (let left = 1; left > 0;) {
      left = await pacing.step((size) => this.#db.reclaim(size));
      this.#progress({ step: 'reclaim', segment, done: left, total: undefined });
      failpoint('archive-reclaim-midway');
    }
  }

  /** An earlier cut takes fewer rows, so a clock that was set back does no harm but should be known. */
  #checkClock(nowMs: number): void {
    const watermark = readWatermark(this.#meta);
    if (!watermark || nowMs >= watermark.atMs - CLOCK_TOLERANCE_MS) return;
    const [now, then] = [nowMs, watermark.atMs].map((ms) => new Date(ms).toISOString());
    this.#notice(
      'clock-set-back',
      `the clock was set back: it is ${now}, and the last run was at ${then}; only rows that are older by today's clock are archived`,
    );
  }

  /** A store that was put back from a backup would give ids again that rows in the archive have. */
  #checkIds(folder: string): void {
    const { maxId } = findChain(folder, this.#db.storeId);
    if (!this.#db.reserveIds(maxId)) return;
    this.#notice(
      'store-set-back',
      `${this.#path} is older than its archive: ids up to ${maxId} are in ${folder} already and will not be given again`,
    );
  }

  /** A folder with rows of this store that the store does not know of, moved or older than it is, takes the place of those that are gone. */
  #adoptFolder(folder: string): void {
    const known = readFolders(this.#meta, this.#path);
    if (known.includes(folder) || findChain(folder, this.#db.storeId).segment === 0) return;
    this.#db.setMeta(this.#foldersEntry([...known.filter((each) => fs.existsSync(each)), folder]));
  }

  /** Where readers find the rows; the number tells them that something has changed. */
  #foldersEntry(folders: readonly string[]): MetaEntries {
    const relative = [...new Set(folders)].map((each) => relativeToStore(this.#path, each));
    return {
      [META.folders]: JSON.stringify(relative),
      [META.sealed]: String(Number(this.#db.getMeta(META.sealed) ?? 0) + 1),
    };
  }

  #progress(progress: ArchiveProgress): void {
    this.#hooks.onProgress?.(progress);
  }

  #notice(kind: ArchiveNotice['kind'], message: string): void {
    this.#hooks.onNotice?.({ kind, message });
  }
}

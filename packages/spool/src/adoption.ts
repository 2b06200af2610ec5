import { messageOf } from '@treeline/contract';
import { renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readCursors, type StoredCursors } from './cursors.ts';
import { failpoint } from './failpoint.ts';
import {
  isErrno,
  logDirectory,
  ownersDirectory,
  parseLogDirectory,
  serviceDirectory,
  syncDirectory,
  unslug,
  type Durability,
} from './layout.ts';
import { removeLog } from './log-directory.ts';
import { openLogReader } from './log-reader.ts';
import { Owner, ownerPid, probeOwner, removeDeadOwner, type OwnerState } from './owner.ts';
import { listSegments, readNames, unlinkSegment, type SegmentFile } from './segment-files.ts';

/** A log as it lies on disk. */
export interface LogListing {
  readonly service: string;
  readonly logId: string;
  readonly directory: string;
  /** `dead`: may be adopted; `foreign`: its owner's host can't be asked from here. */
  readonly owner: OwnerState;
  /** As its own container counts. */
  readonly ownerPid: number | undefined;
  readonly bytes: number;
  readonly segments: number;
  /** Undefined where no segment's header can be read. */
  readonly firstSeq: number | undefined;
  /** The last record that can be read. */
  readonly lastSeq: number | undefined;
  readonly createdAtMs: number | undefined;
  readonly cursors: StoredCursors;
}

/** Every log under the state directory, by service and age. */
export async function listLogs(stateDirectory: string): Promise<LogListing[]> {
  const logs: LogListing[] = [];
  for (const slugged of readNames(stateDirectory).toSorted()) {
    const service = resolve(stateDirectory, slugged);
    for (const { directory, logId, ownerId } of logsOf(service)) {
      const owner = await probeOwner(service, ownerId);
      const segments = listSegments(directory, logId);
      const header = segments.find((segment) => segment.header !== undefined)?.header;
      logs.push({
        service: unslug(slugged),
        logId,
        directory,
        owner,
        ownerPid: ownerPid(service, ownerId),
        bytes: sumOfBytes(segments),
        segments: segments.length,
        firstSeq: header?.firstSeq,
        lastSeq: readLastSeq(directory, segments),
        createdAtMs: header?.createdAtMs,
        cursors: readCursors(directory),
      });
    }
  }
  return logs;
}

export interface AdoptOptions {
  readonly stateDirectory: string;
  readonly service: string;
  /** @default 'process' */
  readonly durability?: Durability | undefined;
  /**
   * From `createOwnerId`: whose logs they become. A thread that takes the place of one that died passes the same one, and gets what that
   * one had taken; to all others they are a living process's all the while. @default a new one
   */
  readonly ownerId?: string | undefined;
}

/** What `adoptLogs` found. */
export interface Adoption {
  /** Now this process's, oldest first. */
  readonly logs: readonly AdoptedLog[];
  /** Left alone, each with the reason. */
  readonly skipped: readonly { readonly directory: string; readonly reason: string }[];
}

/**
 * Takes over the logs that dead processes of the service left. Of several that try at once each log goes to one, and an adopter that
 * dies leaves what it took to the next.
 */
export async function adoptLogs(options: AdoptOptions): Promise<Adoption> {
  const stateDirectory = resolve(options.stateDirectory);
  const service = serviceDirectory(stateDirectory, options.service);
  const logs: AdoptedLog[] = [];
  const skipped: { directory: string; reason: string }[] = [];
  const owner = new Owner(stateDirectory, service, options.ownerId);
  const states = new Map<string, OwnerState>();
  for (const { directory, logId, ownerId } of logsOf(service)) {
    const isOurs = ownerId === owner.id;
    const state = isOurs ? 'dead' : (states.get(ownerId) ?? (await probeOwner(service, ownerId)));
    if (!isOurs) states.set(ownerId, state);
    if (state === 'foreign')
      skipped.push({ directory, reason: 'its owner is on a host that cannot be asked from here' });
    if (state !== 'dead') continue;
    const taken = logDirectory(service, { logId, ownerId: owner.id });
    try {
      owner.hold();
    } catch (error) {
      skipped.push({ directory, reason: messageOf(error) });
      continue;
    }
    try {
      failpoint('adopt-before');
      if (!isOurs) renameSync(directory, taken);
      failpoint('adopt-after');
      if (options.durability === 'power') syncDirectory(service);
      const log = new AdoptedLog(taken, logId, owner, options.durability ?? 'process');
      // A process that died before its first frame, or while it removed the log, leaves nothing to read.
      if (log.bytes === 0) log.remove();
      else logs.push(log);
    } catch (error) {
      owner.release();
      // ENOENT: another process was faster.
      if (!isErrno(error, 'ENOENT')) skipped.push({ directory, reason: messageOf(error) });
    }
  }
  await removeDeadOwners(service, states);
  return { logs, skipped };
}

/** A log that this process took over: to be read to its end, then removed. */
export class AdoptedLog {
  readonly directory: string;
  readonly logId: string;
  /** As the last owner wrote them. */
  readonly cursors: StoredCursors;
  readonly #owner: Owner;
  readonly #durability: Durability;
  #segments: SegmentFile[];
  #isOpen = true;

  /** @internal */
  constructor(directory: string, logId: string, owner: Owner, durability: Durability) {
    this.directory = directory;
    this.logId = logId;
    this.cursors = readCursors(directory);
    this.#owner = owner;
    this.#durability = durability;
    this.#segments = listSegments(directory, logId);
  }

  /** What its segments take on disk. */
  get bytes(): number {
    return sumOfBytes(this.#segments);
  }

  /** Unlinks the segments that hold nothing above `seq`; the last one stays until `remove`. Returns the bytes that were freed. */
  releaseUpTo(seq: number): number {
    if (!this.#isOpen) return 0;
    // What begins behind a segment bounds what it holds; one without a readable header bounds nothing.
    const kept = this.#segments.findLastIndex(
      ({ header }) => header !== undefined && header.firstSeq <= seq + 1,
    );
    const freed = this.#segments.splice(0, Math.max(0, kept));
    for (const { path } of freed) unlinkSegment(path);
    if (freed.length > 0 && this.#durability === 'power') syncDirectory(this.directory);
    return sumOfBytes(freed);
  }

  /** Takes the log off the disk, for when nothing in it is wanted any more. */
  remove(): void {
    if (!this.#isOpen) return;
    removeLog(this.directory, this.#durability);
    this.close();
  }

  /** Lets it go as it is; the next process may adopt it. */
  close(): void {
    if (this.#isOpen) this.#owner.release();
    this.#isOpen = false;
  }
}

/** Reads no more than the last segment that has a header. */
function readLastSeq(directory: string, segments: readonly SegmentFile[]): number | undefined {
  const last = segments.findLast(({ header }) => header !== undefined)?.header;
  if (last === undefined) return undefined;
  const reader = openLogReader(directory, { fromSeq: last.firstSeq, follow: false, onDamage: () => {} });
  while (reader.next() !== undefined);
  reader.close();
  return reader.nextSeq - 1;
}

function* logsOf(service: string): Generator<{ directory: string; logId: string; ownerId: string }> {
  for (const name of readNames(service).toSorted()) {
    const parsed = parseLogDirectory(name);
    if (parsed !== undefined) yield { directory: join(service, name), ...parsed };
  }
}

/** Clears what owners left that no log bears the name of any more. */
async function removeDeadOwners(service: string, states: ReadonlyMap<string, OwnerState>): Promise<void> {
  const ids = new Set(readNames(ownersDirectory(service)).map((name) => name.split('.', 1)[0] ?? ''));
  for (const id of ids) {
    const state = states.get(id) ?? (await probeOwner(service, id));
    if (state === 'dead' && ![...logsOf(service)].some(({ ownerId }) => ownerId === id))
      removeDeadOwner(service, id);
  }
}

function sumOfBytes(segments: readonly SegmentFile[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0);
}

import { messageOf } from '@treeline/contract';
import type { Calendar } from './calendar.ts';
import { compressedSuffix, type Compression } from './compression-method.ts';
import { compressFile } from './compression.ts';
import { codeOf, statIfThere } from './log-file.ts';
import type { NameGrammar } from './name-grammar.ts';
import {
  chooseExpired,
  deleteFiles,
  listRotated,
  readFreeBytes,
  type Retention,
  type RotatedFile,
} from './retention.ts';
import type { SideFolder } from './side-folder.ts';
import type { WriterRegistry } from './writer-registry.ts';

/** Rotated files that a live process still holds are looked at again after so long. */
const HELD_RETRY_MS = 1_000;

/** Without a rotation: for files that grow old, disks that fill up, and what a dead process has left undone. */
const PERIOD_MS = 60_000;

/** A claim is renewed while its file is compressed; one that is not has an owner that died. */
const CLAIM_RENEWAL_MS = 2_000;
const CLAIM_DEAD_AFTER_MS = 15_000;

/** Marks of rotations that were cut short; long enough that their owner can't be merely slow. */
const ROTATION_CLAIM_AGE_MS = 86_400_000;

/** Requests for a rotation that nobody has answered, and who asked has forgotten. */
const REQUEST_AGE_MS = 3_600_000;

/** How long closing waits for a file that is being compressed; the next start does it otherwise. */
const CLOSE_PATIENCE_MS = 2_000;

/** Whoever has it is the only one to compress a file, or to go on with it. */
export function compressionClaim(folder: SideFolder, file: string): string {
  return folder.file('compressing', file);
}

export interface UpkeepOptions {
  readonly names: NameGrammar;
  readonly folder: SideFolder;
  readonly registry: WriterRegistry;
  readonly calendar: Calendar;
  readonly compression: Compression | undefined;
  readonly retention: Retention | undefined;
  readonly mode: number;
  readonly clock: () => number;
  /** The size of the file that is being written. */
  readonly currentBytes: () => number;
  readonly warn: (reason: string) => void;
}

/** Compresses and deletes rotated files, beside the writing and never in its way: what fails is told and tried again. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #isWanted = false;
  #timer: NodeJS.Timeout | undefined;
  #tidiedAtMs = -Infinity;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** To be called at the start and after each rotation. */
  run(): void {
    this.#isWanted = true;
    clearTimeout(this.#timer);
    if (!this.#stop.signal.aborted) this.#running ??= this.#runWhileWanted();
  }

  async close(): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), CLOSE_PATIENCE_MS);
    this.#isWanted = false;
    await this.#running;
    clearTimeout(timer);
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  async #runWhileWanted(): Promise<void> {
    let waitMs = PERIOD_MS;
    while (this.#isWanted) {
      this.#isWanted = false;
      waitMs = await this.#runOnce();
    }
    this.#running = undefined;
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => this.run(), waitMs);
    this.#timer.unref();
  }

  /** How long to wait until the next time. */
  async #runOnce(): Promise<number> {
    let areHeld = false;
    try {
      areHeld = await this.#compressAll();
    } catch (error) {
      this.#warn('compress', error);
    }
    try {
      await this.#deleteExpired();
    } catch (error) {
      this.#warn('delete', error);
    }
    if (performance.now() - this.#tidiedAtMs >= PERIOD_MS) {
      this.#tidiedAtMs = performance.now();
      // They harm nobody where they can't be removed.
      await this.#removeLeftovers().catch(() => undefined);
    }
    return areHeld ? HELD_RETRY_MS : PERIOD_MS;
  }

  #warn(what: string, error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const { names, warn } = this.#options;
    warn(`can't ${what} rotated files in ${names.directory} (tried again): ${messageOf(error)}`);
  }

  /** Whether files were passed over because a process holds them or compresses them. */
  async #compressAll(): Promise<boolean> {
    const { compression, names } = this.#options;
    if (!compression) return false;
    let areLeft = false;
    for (const file of await listRotated(names)) {
      if (this.#stop.signal.aborted) break;
      if (file.compressed !== undefined) continue;
      try {
        if (!(await this.#compress(file, compression))) areLeft = true;
      } catch (error) {
        // The folder has been deleted: what was listed is no longer there.
        if (codeOf(error) === 'ENOENT') throw error;
        // Those behind it are none the worse for it.
        this.#warn(`compress ${file.path} among`, error);
      }
    }
    return areLeft;
  }

  /** False where a process holds the file, or another one is at it. */
  async #compress(file: RotatedFile, compression: Compression): Promise<boolean> {
    const { folder, registry, mode } = this.#options;
    const claim = compressionClaim(folder, file.file);
    if (!(await this.#claim(claim))) return false;
    const renewal = setInterval(() => void folder.write(claim, '').catch(() => undefined), CLAIM_RENEWAL_MS);
    try {
      // Between listing and claim another process may have done it. Who holds a file has to be asked under the claim.
      if (!(await statIfThere(file.path))) return true;
      if ((await registry.heldInodes())?.has(file.inode) !== false) return false;
      await compressFile(
        {
          source: file.path,
          target: `${file.path}.${compressedSuffix(compression.method)}`,
          temporary: folder.file(`temporary.${registry.id}`, file.file),
          mode,
          signal: this.#stop.signal,
        },
        compression,
      );
    } finally {
      clearInterval(renewal);
      await folder.remove(claim);
    }
    return true;
  }

  async #claim(claim: string): Promise<boolean> {
    const { folder, registry } = this.#options;
    if (await folder.claim(claim)) return true;
    const reference = folder.file('writer', registry.id);
    await registry.beat();
    const age = await folder.ageMs(claim, reference);
    if (age !== undefined && age <= CLAIM_DEAD_AFTER_MS) return false;
    await folder.remove(claim);
    return folder.claim(claim);
  }

  async #deleteExpired(): Promise<void> {
    const { retention, names, calendar, clock, currentBytes, registry } = this.#options;
    if (!retention) return;
    const listed = await listRotated(names);
    const held = await registry.heldInodes();
    if (!held) return;
    const files = listed.filter((file) => !held.has(file.inode));
    const freeBytes = retention.minFreeDisk === undefined ? Infinity : await readFreeBytes(names.directory);
    await deleteFiles(
      chooseExpired(files, retention, { nowMs: clock(), calendar, currentBytes: currentBytes(), freeBytes }),
    );
  }

  /** Removes what a crash has left in the side folder. */
  async #removeLeftovers(): Promise<void> {
    const { folder, registry } = this.#options;
    const living = [registry.id, ...(await registry.others()).map(({ id }) => id)];
    for (const key of await folder.keys('temporary')) {
      if (!living.some((id) => key.startsWith(`${id}.`))) await folder.remove(folder.file('temporary', key));
    }
    const removeOlder = async (kind: string, ageMs: number): Promise<void> => {
      for (const key of await folder.keys(kind)) {
        const file = folder.file(kind, key);
        const age = await folder.ageMs(file, folder.file('writer', registry.id));
        if (age !== undefined && age > ageMs) await folder.remove(file);
      }
    };
    await removeOlder('rotate', REQUEST_AGE_MS);
    await removeOlder('rotating', ROTATION_CLAIM_AGE_MS);
  }
}

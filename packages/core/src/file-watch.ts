import fs from 'node:fs';
import path from 'node:path';

/** Files that are written come in several events: they are looked at when nothing has happened for so long. */
const QUIET_MS = 300;

/** A folder in which something happens all the time is looked at all the same. */
const MAX_WAIT_MS = 2_000;

/** What no event tells, on network file systems and where there are no more watches to be had, is seen by looking. */
const POLL_MS = 5_000;

/**
 * Calls back when files may have changed. Folders are watched, not files: a watch on a file is dead once another has taken its place, as
 * editors and the symbolic links of a Kubernetes ConfigMap do it. Keeps no process alive.
 */
export class FileWatch {
  readonly #files: () => Iterable<string>;
  readonly #mayHaveChanged: () => void;
  readonly #watchers = new Map<string, fs.FSWatcher>();
  readonly #poll: NodeJS.Timeout;
  #quiet: NodeJS.Timeout | undefined;
  #firstEventMs = 0;

  constructor(files: () => Iterable<string>, mayHaveChanged: () => void) {
    this.#files = files;
    this.#mayHaveChanged = mayHaveChanged;
    this.#poll = setInterval(() => this.#look(), POLL_MS).unref();
    this.#watchFolders();
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#quiet);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #look(): void {
    clearTimeout(this.#quiet);
    this.#quiet = undefined;
    this.#watchFolders();
    this.#mayHaveChanged();
  }

  #noticed(): void {
    const nowMs = performance.now();
    if (!this.#quiet) this.#firstEventMs = nowMs;
    clearTimeout(this.#quiet);
    const waitMs = Math.max(0, Math.min(QUIET_MS, this.#firstEventMs + MAX_WAIT_MS - nowMs));
    this.#quiet = setTimeout(() => this.#look(), waitMs).unref();
  }

  /** The folders that the files seem to be in, and those that they are in behind symbolic links. */
  #watchFolders(): void {
    const folders = new Set<string>();
    for (const file of this.#files()) {
      folders.add(path.dirname(file));
      const real = realPath(file);
      if (real !== undefined) folders.add(path.dirname(real));
    }
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder) && isSameFolder(folder, watcher)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#watchFolder(folder);
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = fs.watch(folder, { persistent: false }, () => this.#noticed());
      inodes.set(watcher, inodeOf(folder));
      this.#watchers.set(folder, watcher);
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(folder);
      });
    } catch {
      // The poll sees what happens there.
    }
  }
}

/** The folder that each watcher was opened on. */
const inodes = new WeakMap<fs.FSWatcher, number | undefined>();

/** A folder that was deleted and made anew is another one. */
function isSameFolder(folder: string, watcher: fs.FSWatcher): boolean {
  const inode = inodes.get(watcher);
  return inode !== undefined && inode === inodeOf(folder);
}

function inodeOf(folder: string): number | undefined {
  return fs.statSync(folder, { throwIfNoEntry: false })?.ino;
}

function realPath(file: string): string | undefined {
  try {
    return fs.realpathSync(file);
  } catch {
    return undefined;
  }
}

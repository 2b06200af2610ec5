import fs from 'node:fs';
import os from 'node:os';
import { TreelineError } from '@treeline/contract';
import { openDatabase, storeError } from './database.ts';
import { isBusy, loadDriver, type Database } from './driver.ts';

/** Who archives a store, for people: what excludes others is the lock. */
export interface LeaseHolder {
  readonly host: string;
  readonly pid: number;
  readonly sinceMs: number;
}

export interface ArchiveLease {
  release(): void;
}

const HOLDER_KEY = 'archive_lease';

/**
 * Takes the right to archive a store: a lock on the file `<store>-archive-lock`, which the kernel lets go of with the process however
 * that ends, so that no clock and no process id has to be trusted.
 *
 * @throws TreelineError `LEASE_HELD` where another has it, and names it.
 */
export function acquireArchiveLease(path: string): ArchiveLease {
  const lock = openLock(path);
  const store = openDatabase(path, { busyTimeoutMs: 5000 });
  try {
    try {
      lock.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      throw isBusy(error) ? held(path, readHolder(store)) : error;
    }
    const holder: LeaseHolder = { host: os.hostname(), pid: process.pid, sinceMs: Date.now() };
    store
      .prepare<[string, string]>('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)')
      .run(HOLDER_KEY, JSON.stringify(holder));
  } catch (error) {
    lock.close();
    store.close();
    throw storeError(error, path);
  }
  return {
    release() {
      try {
        store.prepare<[string]>('DELETE FROM meta WHERE key = ?').run(HOLDER_KEY);
      } catch {
        // A name that is left behind misleads nobody: the lock is free.
      }
      store.close();
      lock.close();
    },
  };
}

function openLock(path: string): Database {
  const file = `${fs.realpathSync(path)}-archive-lock`;
  try {
    return new (loadDriver())(file, { timeout: 0 });
  } catch (cause) {
    if (cause instanceof TreelineError) throw cause;
    throw new TreelineError(
      'DESTINATION_UNUSABLE',
      `${file} can't be opened; an archiver must be able to write beside the store`,
      { cause },
    );
  }
}

function readHolder(store: Database): LeaseHolder | undefined {
  const text = store
    .prepare<[string], string>('SELECT value FROM meta WHERE key = ?')
    .pluck()
    .get(HOLDER_KEY);
  return text === undefined ? undefined : (JSON.parse(text) as LeaseHolder);
}

function held(path: string, holder: LeaseHolder | undefined): TreelineError {
  const who = holder
    ? `process ${holder.pid} on ${holder.host}, since ${new Date(holder.sinceMs).toISOString()}`
    : 'another archiver';
  return new TreelineError(
    'LEASE_HELD',
    `${path} is being archived by ${who}; wait until it is done, what is left then is for the next run`,
  );
}

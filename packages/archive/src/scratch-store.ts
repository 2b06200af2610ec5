import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { openLogReader, openLogStore, type LogEntry, type LogRow } from '@treeline/sqlite';

/** A store in a folder of its own, for tests. */
export interface ScratchStore {
  readonly folder: string;
  readonly path: string;
  /** Where its archive goes. */
  readonly to: string;
  append(entries: readonly LogEntry[]): void;
  rows(): LogRow[];
  remove(): void;
}

export function createScratchStore(entries: readonly LogEntry[] = []): ScratchStore {
  const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-archive-'));
  const path = join(folder, 'logs.db');
  const store = {
    folder,
    path,
    to: join(folder, 'archive'),
    append(more: readonly LogEntry[]): void {
      const log = openLogStore(path);
      if (more.length > 0) log.append(more);
      log.close();
    },
    rows(): LogRow[] {
      const reader = openLogReader(path);
      const rows = [...reader.iterate({ order: 'asc' })];
      reader.close();
      return rows;
    },
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
  store.append(entries);
  return store;
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** Rows of the last days, one every so often, oldest first but for every tenth, which came late. */
export function daysOfRows(count: number, everyMs: number, nowMs = Date.now()): LogEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    source: `service-${index % 3}`,
    type: index % 4 === 0 ? 'job' : 'log',
    level: index % 50 === 0 ? 50 : 30,
    ts: nowMs - (count - index + (index % 10 === 0 ? 37 : 0)) * everyMs,
    msg: `row ${index}`,
    payload: { index },
  }));
}

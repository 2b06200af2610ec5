import { createRequire } from 'node:module';
import { messageOf, TreelineError } from '@treeline/contract';
import type BetterSqlite3 from 'better-sqlite3';

export type Database = BetterSqlite3.Database;
export type Statement<Params extends unknown[] = unknown[], Row = unknown> = BetterSqlite3.Statement<
  Params,
  Row
>;

/**
 * Loads better-sqlite3 when a store is opened, never at import: it is native. By `require`, since the store's API is synchronous.
 *
 * @throws TreelineError `TRANSPORT_MISSING` where its native part was not built.
 */
export function loadDriver(): typeof BetterSqlite3 {
  try {
    return createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3;
  } catch (cause) {
    throw new TreelineError(
      'TRANSPORT_MISSING',
      `better-sqlite3 can't be loaded: ${messageOf(cause)}; run "npm rebuild better-sqlite3" (where no prebuilt binary is to be had it needs a C++ toolchain)`,
      { cause },
    );
  }
}

/** SQLite's extended result code (`SQLITE_BUSY_SNAPSHOT`) of whatever was thrown; undefined where SQLite did not throw it. */
export function sqliteCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || thrown.constructor.name !== 'SqliteError') return undefined;
  return 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}

export function isBusy(thrown: unknown): boolean {
  const code = sqliteCode(thrown);
  return code !== undefined && /^SQLITE_(BUSY|LOCKED)/.test(code);
}

export function isCorrupt(thrown: unknown): boolean {
  const code = sqliteCode(thrown);
  return code !== undefined && /^SQLITE_(CORRUPT|NOTADB)/.test(code);
}

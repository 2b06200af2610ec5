import type { Database } from './driver.ts';

/**
 * The optional index over `msg`: all runs of three characters, so that it answers what `text` asks (any substring, case ignored) and not
 * only whole words. It keeps no texts and no positions: what it finds is checked against the row. It is built behind the rows, by
 * maintenance; up to which id stands in `meta`.
 */
const CREATE = `CREATE VIRTUAL TABLE IF NOT EXISTS logs_text
  USING fts5 (msg, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram')`;

const UPTO = 'full_text_upto';

/** Rows that are indexed in one transaction: some 20 ms. */
const ROWS_PER_STEP = 2000;

/** Runs of a text that are looked up; what they find is checked anyway. */
const MAX_RUNS = 64;

/** With more rows than this the walk in the order of time meets enough of them. */
const MAX_CANDIDATES = 5000;

/** Rows behind the index that a query looks through beside it. */
export const MAX_UNINDEXED = 50_000;

/** Makes the index where it is missing, empty. */
export function createFullText(db: Database): void {
  db.exec(CREATE);
  db.prepare("INSERT OR IGNORE INTO meta (key, value) VALUES (?, '0')").run(UPTO);
}

/** Up to which row the index has come; undefined where the store has none. */
export function fullTextUpto(db: Database): number | undefined {
  const value = db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck().get(UPTO);
  return value === undefined ? undefined : Number(value);
}

/** Indexes the next rows; returns whether there are more. */
export function indexNextTexts(db: Database): boolean {
  return db
    .transaction(() => {
      const upto = fullTextUpto(db);
      if (upto === undefined) return false;
      const newest = newestId(db);
      const next = Math.min(newest, upto + ROWS_PER_STEP);
      if (next <= upto) return false;
      db.prepare(
        'INSERT INTO logs_text (rowid, msg) SELECT id, msg FROM logs WHERE id > ? AND id <= ? AND msg IS NOT NULL',
      ).run(upto, next);
      db.prepare('UPDATE meta SET value = ? WHERE key = ?').run(String(next), UPTO);
      return next < newest;
    })
    .immediate();
}

/** Takes rows out of the index, within the open transaction. `ids` is a JSON list. */
export function forgetTexts(db: Database, ids: string): void {
  if (fullTextUpto(db) === undefined) return;
  db.prepare('DELETE FROM logs_text WHERE rowid IN (SELECT value FROM json_each(?))').run(ids);
}

/** What finds the rows whose `msg` may contain a text. */
export interface TextLookup {
  /** FTS5's query. */
  readonly match: string;
  /** Rows behind this id are not indexed yet. */
  readonly upto: number;
}

/** How to look a text up; undefined where there is no index, or walking the rows is the better way. */
export function lookUpText(db: Database, text: string): TextLookup | undefined {
  const match = matchOf(text);
  const upto = match === undefined ? undefined : fullTextUpto(db);
  if (match === undefined || upto === undefined || newestId(db) - upto > MAX_UNINDEXED) return undefined;
  const candidates = db
    .prepare<[string, number], number>(
      'SELECT count(*) FROM (SELECT 1 FROM logs_text WHERE logs_text MATCH ? LIMIT ?)',
    )
    .pluck()
    .get(match, MAX_CANDIDATES);
  return (candidates ?? 0) < MAX_CANDIDATES ? { match, upto } : undefined;
}

/** All runs of three characters of a text; undefined where it has none, or a NUL, which FTS5 passes over. */
function matchOf(text: string): string | undefined {
  const characters = Array.from(text);
  if (characters.length < 3 || text.includes('\0')) return undefined;
  const runs = new Set<string>();
  for (let at = 0; at + 3 <= characters.length && runs.size < MAX_RUNS; at++) {
    runs.add(
      `"${characters
        .slice(at, at + 3)
        .join('')
        .replaceAll('"', '""')}"`,
    );
  }
  return [...runs].join(' AND ');
}

function newestId(db: Database): number {
  return db.prepare<[], number>('SELECT coalesce(max(id), 0) FROM logs').pluck().get() ?? 0;
}

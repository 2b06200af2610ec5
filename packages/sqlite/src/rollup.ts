import { MAX_COUNTS_PER_MINUTE, MS_PER_MINUTE } from './ddl.ts';
import type { Columns } from './columns.ts';
import type { Database, Statement } from './driver.ts';

/** Counts by type. */
type Counts = Map<string, number>;

/** The counts of one minute and level, by source. */
interface Group {
  readonly minute: number;
  readonly level: number;
  readonly bySource: Map<string, Counts>;
}

/** Counts the rows of a transaction, to be added to the table log_counts before it commits. */
export class Rollup {
  readonly #groups = new Map<number, Map<number, Group>>();
  readonly #add: Statement<[number, number, number, string, string]>;
  readonly #insert: Statement<[number, number, string, string, number]>;
  readonly #combinations: Statement<[number], number>;

  constructor(db: Database) {
    this.#add = db.prepare(
      'UPDATE log_counts SET n = n + ? WHERE minute = ? AND level = ? AND source = ? AND type = ?',
    );
    this.#insert = db.prepare(
      `INSERT INTO log_counts (minute, level, source, type, n) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (minute, level, source, type) DO UPDATE SET n = n + excluded.n`,
    );
    this.#combinations = db
      .prepare<[number], number>('SELECT count(*) FROM log_counts WHERE minute = ?')
      .pluck();
  }

  count({ ts, level, source, type }: Columns): void {
    const { bySource } = this.#group(Math.floor(ts / MS_PER_MINUTE), level);
    let byType = bySource.get(source);
    if (!byType) bySource.set(source, (byType = new Map()));
    byType.set(type, (byType.get(type) ?? 0) + 1);
  }

  /** Writes the counts within the open transaction. */
  write(): void {
    for (const byLevel of this.#groups.values()) {
      for (const { minute, level, bySource } of byLevel.values()) {
        for (const [source, byType] of bySource) {
          for (const [type, n] of byType) this.#write(minute, level, source, type, n);
        }
      }
    }
    this.clear();
  }

  clear(): void {
    this.#groups.clear();
  }

  #group(minute: number, level: number): Group {
    let byLevel = this.#groups.get(minute);
    if (!byLevel) this.#groups.set(minute, (byLevel = new Map()));
    let group = byLevel.get(level);
    if (!group) byLevel.set(level, (group = { minute, level, bySource: new Map() }));
    return group;
  }

  #write(minute: number, level: number, source: string, type: string, n: number): void {
    if (this.#add.run(n, minute, level, source, type).changes > 0) return;
    const counted = this.#combinations.get(minute) ?? 0;
    if (counted < MAX_COUNTS_PER_MINUTE) this.#insert.run(minute, level, source, type, n);
    else this.#insert.run(minute, level, '*', '*', n);
  }
}

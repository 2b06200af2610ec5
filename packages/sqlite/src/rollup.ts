import { MAX_COUNTS_PER_MINUTE, MS_PER_MINUTE } from './ddl.ts';
import type { Columns } from './columns.ts';
import type { Database, Statement } from './driver.ts';

interface Count {
  readonly minute: number;
  readonly level: number;
  readonly source: string;
  readonly type: string;
  n: number;
}

/** Counts the rows of a transaction, to be added to the table log_counts before it commits. */
export class Rollup {
  readonly #counts = new Map<string, Count>();
  readonly #add: Statement<[number, number, number, string, string]>;
  readonly #insert: Statement<[number, number, string, string, number]>;
  readonly #combinations: Statement<[number], number>;
  #last: Count | undefined;

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
    const minute = Math.floor(ts / MS_PER_MINUTE);
    const last = this.#last;
    if (last?.minute === minute && last.level === level && last.type === type && last.source === source) {
      last.n++;
      return;
    }
    const key = `${minute} ${level} ${source.length} ${source}${type}`;
    let count = this.#counts.get(key);
    if (!count) {
      count = { minute, level, source, type, n: 0 };
      this.#counts.set(key, count);
    }
    count.n++;
    this.#last = count;
  }

  /** Writes the counts within the open transaction. */
  write(): void {
    for (const { minute, level, source, type, n } of this.#counts.values()) {
      if (this.#add.run(n, minute, level, source, type).changes > 0) continue;
      const counted = this.#combinations.get(minute) ?? 0;
      if (counted < MAX_COUNTS_PER_MINUTE) this.#insert.run(minute, level, source, type, n);
      else this.#insert.run(minute, level, '*', '*', n);
    }
    this.clear();
  }

  clear(): void {
    this.#counts.clear();
    this.#last = undefined;
  }
}

import { sql } from 'drizzle-orm';
import { check, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** The log: append-only, one row for each record. For queries and joins with Drizzle; stores are made by `openLogStore`. */
export const logs = sqliteTable(
  'logs',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    /** Who speaks: the record's `source`, else its `name`, `service` or `app`; empty where it has none. */
    source: text('source').notNull(),
    /** What kind of event; `log` where the record does not say. */
    type: text('type').notNull(),
    /** The business object. */
    refId: text('ref_id'),
    /** Unix milliseconds. */
    ts: integer('ts').notNull(),
    /** pino's numbers. */
    level: integer('level').notNull(),
    msg: text('msg'),
    traceId: text('trace_id'),
    spanId: text('span_id'),
    parentSpanId: text('parent_span_id'),
    /** The whole record as it was logged: JSON text. */
    payload: text('payload').notNull(),
  },
  (table) => [
    index('logs_source_type').on(table.source, table.type, table.ts),
    index('logs_ts').on(table.ts),
    // The hour leads: a random key alone makes inserting three times slower by the third million rows.
    index('logs_ref_id')
      .on(sql`ts / 3600000`, table.refId)
      .where(sql`ref_id IS NOT NULL`),
    index('logs_errors')
      .on(table.ts)
      .where(sql`level >= 50`),
    check('logs_id', sql`id > 0`),
  ],
);

/** Facts about the store: schema version, store id, archive watermark. */
export const meta = sqliteTable('meta', {
  key: text('key').primaryKey().notNull(),
  value: text('value').notNull(),
});

/** How many rows each minute has (`ts / 60000`), by level, source and type; source and type are `*` beyond 1 000 combinations a minute. */
export const logCounts = sqliteTable(
  'log_counts',
  {
    minute: integer('minute').notNull(),
    level: integer('level').notNull(),
    source: text('source').notNull(),
    type: text('type').notNull(),
    n: integer('n').notNull(),
  },
  (table) => [primaryKey({ columns: [table.minute, table.level, table.source, table.type] })],
);

import { getTableConfig, SQLiteSyncDialect, type AnySQLiteTable } from 'drizzle-orm/sqlite-core';
import { eq, is, SQL } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import BetterSqlite3 from 'better-sqlite3';
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { MIGRATIONS } from './ddl.ts';
import { logCounts, logs, meta } from './schema.ts';
import { openLogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-schema-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const db = new BetterSqlite3(':memory:');
for (const sql of MIGRATIONS) db.exec(sql);

const dialect = new SQLiteSyncDialect();

function withoutQualifiers(sql: string): string {
  return sql.replace(/"\w+"\."(\w+)"/g, '$1').replace(/\s+/g, ' ');
}

/** What Drizzle declares, as SQLite describes it. */
function declared(table: AnySQLiteTable): unknown {
  const config = getTableConfig(table);
  const composite = config.primaryKeys[0]?.columns.map(({ name }) => name) ?? [];
  return {
    columns: config.columns.map((column) => ({
      name: column.name,
      type: column.getSQLType().toUpperCase(),
      notNull: column.notNull || composite.includes(column.name),
      primary: column.primary || composite.includes(column.name),
    })),
    indexes: config.indexes
      .map(({ config: { name, columns, where } }) => ({
        name,
        keys: columns.map((key) =>
          is(key, SQL) ? withoutQualifiers(dialect.sqlToQuery(key).sql) : (key as { name: string }).name,
        ),
        where: where && withoutQualifiers(dialect.sqlToQuery(where).sql),
      }))
      .toSorted(byName),
    checks: config.checks.map(({ value }) => withoutQualifiers(dialect.sqlToQuery(value).sql)),
  };
}

/** What the created database has. */
function created(table: string): unknown {
  const columns = db.prepare('SELECT * FROM pragma_table_info(?)').all(table) as Record<string, unknown>[];
  const indexes = db
    .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL")
    .all(table) as { name: string; sql: string }[];
  const tableSql = db.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').pluck().get(table) as string;
  return {
    columns: columns.map(({ name, type, notnull, pk }) => ({
      name,
      type,
      notNull: notnull === 1 || pk !== 0,
      primary: pk !== 0,
    })),
    indexes: indexes
      .map(({ name, sql }) => {
        const [, keys = '', where] = /\(([^)]*)\)(?: WHERE (.*))?$/.exec(sql) ?? [];
        return { name, keys: keys.split(', '), where };
      })
      .toSorted(byName),
    checks: [...tableSql.matchAll(/CHECK \(([^)]*)\)/g)].map(([, check]) => check),
  };
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}

test.each([
  ['logs', logs],
  ['meta', meta],
  ['log_counts', logCounts],
])('the Drizzle table %s declares what the created database has', (name, table) => {
  const config = getTableConfig(table);
  expect(config.name).toBe(name);
  expect(declared(table)).toEqual(created(name));
});

test('a store is queried with Drizzle by its columns', () => {
  const path = join(folder, 'drizzle.db');
  const store = openLogStore(path);
  store.append([
    { source: 'orders', refId: 'o1', level: 'error', msg: 'no' },
    { source: 'orders', refId: 'o2' },
  ]);
  store.close();
  const client = new BetterSqlite3(path, { readonly: true });
  const rows = drizzle(client)
    .select({ refId: logs.refId, n: logCounts.n })
    .from(logs)
    .innerJoin(logCounts, eq(logCounts.level, logs.level))
    .where(eq(logs.level, 50))
    .all();
  client.close();
  expect(rows).toEqual([{ refId: 'o1', n: 1 }]);
});

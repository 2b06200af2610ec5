import type { Database } from './driver.ts';
import type { Test } from './filter-sql.ts';

const slots = new WeakMap<Database, { tests: readonly Test[] }>();

/** Puts a filter's tests at hand for the next statement of this connection, as the SQL function `treeline_test(index, value)`. */
export function useTests(db: Database, tests: readonly Test[]): void {
  const slot = slots.get(db);
  if (slot) {
    slot.tests = tests;
    return;
  }
  const made = { tests };
  slots.set(db, made);
  db.function('treeline_test', { deterministic: true }, (index, value) =>
    made.tests[Number(index)]?.(value) ? 1 : 0,
  );
}

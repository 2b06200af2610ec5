import { createRequire } from 'node:module';

/** Loads the query language. It takes some 30 ms, and those who filter by levels alone, or not at all, don't wait for it. */
export function loadQuery(): typeof import('@treeline/query') {
  return createRequire(import.meta.url)('@treeline/query') as typeof import('@treeline/query');
}

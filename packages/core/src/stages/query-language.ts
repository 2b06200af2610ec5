import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The query language, loaded by the first stream that has a filter or a level by name: it costs some 10 ms. */
export function queryLanguage(): typeof import('@treeline/query') {
  return require('@treeline/query') as typeof import('@treeline/query');
}

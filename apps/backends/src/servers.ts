import type { TestProject } from 'vitest/node';
import { startOpenSearch } from './opensearch-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where it answers; absent where it can't be had here. */
    openSearch: string | undefined;
  }
}

/** Starts every server that the tests need. One that is missing is named, and its tests are counted as skipped. */
export default async function startServers({ provide }: TestProject): Promise<() => Promise<void>> {
  const openSearch = await startOpenSearch();
  if ('missing' in openSearch) {
    process.stderr.write(`treeline  skipped: OpenSearch 2.19: ${openSearch.missing}\n`);
    provide('openSearch', undefined);
    return async () => undefined;
  }
  provide('openSearch', openSearch.url);
  return () => openSearch.stop();
}

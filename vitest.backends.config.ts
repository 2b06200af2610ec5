import { defineConfig } from 'vitest/config';

/** Against real servers, which `npm test` does without. */
export default defineConfig({
  test: {
    include: ['apps/backends/src/**/*.test.ts'],
    globalSetup: ['apps/backends/src/servers.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'packages/*/examples/*.test.mjs',
            'apps/{cli,daemon,gateway}/src/**/*.test.ts',
            'scripts/*.test.mjs',
          ],
          testTimeout: 15_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['apps/e2e/src/**/*.test.ts'],
          // Whole processes measure exits and time-outs: they get the machine to themselves.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});

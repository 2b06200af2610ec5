import { runTests } from './run-tests.mjs';
import { setUp } from './setup.mjs';

await setUp();
const { code, failed, skipped, line } = await runTests('test-results/backends.json', [
  '--config',
  'vitest.backends.config.ts',
  ...process.argv.slice(2),
]);
process.exitCode = failed > 0 && code === 0 ? 1 : code;
if (skipped > 0 && process.env.CI) {
  process.stderr.write('treeline  servers are missing (see above): on a build machine that is a failure\n');
  process.exitCode = 1;
}
process.stdout.write(`\nbackends: ${line}\n`);

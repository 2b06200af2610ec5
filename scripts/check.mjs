import { pnpm, setUp } from './setup.mjs';

/** @type {[name: string, command: string[]][]} */
const CHECKS = [
  ['lint', ['exec', 'oxlint', '--type-aware', '--deny-warnings']],
  ['format', ['exec', 'oxfmt', '--check']],
  ['unused code', ['exec', 'knip', '--no-config-hints']],
  ['packages', ['exec', 'turbo', 'run', 'check:package', '--ui=stream', '--output-logs=errors-only']],
];

await setUp();
const failed = [];
for (const [name, command] of CHECKS) {
  process.stdout.write(`\ncheck: ${name}\n`);
  if ((await pnpm(command)) !== 0) failed.push(name);
}
process.stdout.write(
  failed.length === 0 ? '\ncheck: all passed\n' : `\ncheck: failed: ${failed.join(', ')}\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

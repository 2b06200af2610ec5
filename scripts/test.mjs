import { runTests } from './run-tests.mjs';
import { setUp } from './setup.mjs';

await setUp();
const { code, failed, line } = await runTests('test-results/vitest.json', process.argv.slice(2));
process.exitCode = failed > 0 && code === 0 ? 1 : code;
process.stdout.write(`\n${line}\n`);

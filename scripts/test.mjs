import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { countTests } from './count-tests.mjs';
import { run } from './run.mjs';
import { setUp } from './setup.mjs';

const REPORT = 'test-results/vitest.json';

await setUp();
mkdirSync('test-results', { recursive: true });
rmSync(REPORT, { force: true });

const code = await run(process.execPath, [
  'node_modules/vitest/vitest.mjs',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${REPORT}`,
  ...process.argv.slice(2),
]);
const { failed, line } = countTests(readReport(), code);
if (failed > 0 && code === 0) process.exitCode = 1;
else process.exitCode = code;
process.stdout.write(`\n${line}\n`);

function readReport() {
  try {
    return JSON.parse(readFileSync(REPORT, 'utf8'));
  } catch (error) {
    process.stderr.write(
      `treeline  vitest left no report, so no test is known to have passed: ${error.message}\n`,
    );
    return { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  }
}

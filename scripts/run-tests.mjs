import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { countTests } from './count-tests.mjs';
import { run } from './run.mjs';

/** Runs vitest and resolves to what its report and exit code say; see `countTests`. */
export async function runTests(reportFile, args) {
  mkdirSync(path.dirname(reportFile), { recursive: true });
  rmSync(reportFile, { force: true });
  const code = await run(process.execPath, [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
    ...args,
  ]);
  return { code, ...countTests(readReport(reportFile), code) };
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    process.stderr.write(
      `treeline  vitest left no report, so no test is known to have passed: ${error.message}\n`,
    );
    return { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  }
}

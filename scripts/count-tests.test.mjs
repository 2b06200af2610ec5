import { expect, test } from 'vitest';
import { countTests } from './count-tests.mjs';

const passing = { name: 'a', status: 'passed', assertionResults: [{ status: 'passed' }] };
const failing = {
  name: 'b',
  status: 'failed',
  assertionResults: [{ status: 'failed' }, { status: 'passed' }],
};
const unloadable = { name: 'c', status: 'failed', assertionResults: [] };

const report = (testResults, numbers) => ({
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults,
  ...numbers,
});

test.each([
  ['a good run', report([passing], { numPassedTests: 1 }), 0, 0, '1 passed, 0 failed'],
  [
    'a failed test',
    report([passing, failing], { numPassedTests: 2, numFailedTests: 1 }),
    1,
    1,
    '2 passed, 1 failed',
  ],
  [
    'a file that can’t be loaded',
    report([passing, unloadable], { numPassedTests: 1 }),
    1,
    1,
    '1 passed, 1 failed',
  ],
  ['an error outside all tests', report([passing], { numPassedTests: 1 }), 1, 1, '1 passed, 1 failed'],
  [
    'skipped and planned tests',
    report([passing], { numPassedTests: 1, numPendingTests: 2, numTodoTests: 1 }),
    0,
    0,
    '1 passed, 0 failed, 3 skipped',
  ],
  ['no test at all', report([], {}), 1, 1, '0 passed, 1 failed'],
])('counts %s', (_title, given, exitCode, failed, line) => {
  expect(countTests(given, exitCode)).toMatchObject({ failed, line });
});

/**
 * The closing line of a test run, from vitest's JSON report and exit code. What failed outside a test (a file that can't be
 * loaded, a hook, an unhandled rejection) counts as failed too: the line never says "0 failed" over a run that was not good.
 */
export function countTests(report, exitCode) {
  const passed = report.numPassedTests;
  const skipped = report.numPendingTests + report.numTodoTests;
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const counted = report.numFailedTests + brokenFiles;
  const failed = counted === 0 && exitCode !== 0 ? 1 : counted;
  return {
    failed,
    skipped,
    line: `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  };
}

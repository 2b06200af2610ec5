/** For tests of programs that log: what was logged, as records and as trees. */
export { captureLogs, type CapturedLogs, type CaptureOptions } from './capture-logs.ts';
export type { CapturedSpan } from './span-trees.ts';

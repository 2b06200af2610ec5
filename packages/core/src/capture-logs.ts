import { parseLine, type LogRecord } from '@treeline/contract';
import { createLogger } from './create-logger.ts';
import type { TreelineLogger } from './logger.ts';
import { streamSym } from './pino-symbols.ts';
import { spanTrees, type CapturedSpan } from './span-trees.ts';

export interface CaptureOptions {
  /** Whose lines are captured instead of delivered; without it one is made that logs everything. */
  readonly logger?: TreelineLogger;
  /** The config of a logger that is made (default `{ level: 'trace' }`). Nothing is written to its streams. */
  readonly config?: object;
}

export interface CapturedLogs<Result> {
  readonly result: Result;
  readonly records: readonly LogRecord[];
  /** The spans that no other span is around. */
  readonly trees: readonly CapturedSpan[];
  /** The lines as they would have gone out. */
  readonly lines: readonly string[];
}

/** Runs a function and gives what was logged until it was done; rejects with its error. */
export async function captureLogs<Result>(
  fn: (logger: TreelineLogger) => Result | Promise<Result>,
  options: CaptureOptions = {},
): Promise<CapturedLogs<Result>> {
  const config = { level: 'trace', ...options.config };
  // What is captured is not for the environment to decide.
  const logger = options.logger ?? createLogger(config, { overrides: { level: config.level } });
  const lines: string[] = [];
  const root = rootOf(logger);
  const before = root[streamSym];
  root[streamSym] = { write: (line: string) => lines.push(line) };
  try {
    const result = await fn(logger);
    const records = lines.map((line) => parseLine(line.trimEnd()));
    return { result, records, trees: spanTrees(records), lines };
  } finally {
    root[streamSym] = before;
  }
}

interface Rooted {
  [streamSym]: object;
}

/** Children find the destination at their root. */
function rootOf(logger: object): Rooted {
  let root = logger;
  while (!Object.hasOwn(root, streamSym)) root = Object.getPrototypeOf(root) as object;
  return root as Rooted;
}

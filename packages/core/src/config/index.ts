export type { PipelineConfig, StreamConfig } from './config.ts';
export { consoleOptions, type ConsoleOptions } from './console-options.ts';
export { loadConfig, type LoadContext, type LoadedConfig } from './load.ts';
export { ConfigError, formatProblems, type ConfigProblem, type ProblemFormat } from './problem.ts';
export { PROBLEM_CODES, type ProblemCode } from './problem-codes.ts';
export type { ListedTransport } from './transports.ts';

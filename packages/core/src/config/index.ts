export { checkConfig, type CheckedConfig } from './check.ts';
export type { Features, PipelineConfig, RedactConfig, StreamConfig } from './config.ts';
export { consoleOptions, type ConsoleOptions } from './console-options.ts';
export { diffConfigs } from './diff.ts';
export { explainConfig } from './explain.ts';
export { loadConfig, type LoadContext, type LoadedConfig } from './load.ts';
export { printConfig, type PrintOptions } from './print-config.ts';
export { ConfigError, formatProblems, type ConfigProblem, type ProblemFormat } from './problem.ts';
export { PROBLEM_CODES, type ProblemCode } from './problem-codes.ts';
export {
  formatReloadPlan,
  planReload,
  type ReloadClass,
  type ReloadPlan,
  type StreamChange,
} from './reload-plan.ts';
export { readConfigSchema } from './schema-file.ts';
export { CONFIG_TEMPLATE } from './template.ts';
export { testConfig, type ConfigTestResult } from './test-config.ts';
export type { ListedTransport } from './transports.ts';

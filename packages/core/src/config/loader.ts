/** What createLogger needs of the config; what explains a config to people is loaded by tools alone. */
export { loadConfig } from './load.ts';
export { formatProblems } from './problem.ts';

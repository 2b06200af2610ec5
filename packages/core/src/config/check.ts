import { lint } from './lint.ts';
import { evaluateConfig, type LoadContext } from './load.ts';
import { sortProblems, type ConfigProblem } from './problem.ts';

export interface CheckedConfig {
  /** The file that was checked; undefined where there was none. */
  readonly file: string | undefined;
  readonly problems: readonly ConfigProblem[];
}

/** All that can be said against a config: its mistakes, and what is legal but can't be meant. Never throws for a config's sake. */
export function checkConfig(source?: string | object, context: LoadContext = {}): CheckedConfig {
  const evaluated = evaluateConfig(source, context);
  lint(evaluated);
  return { file: evaluated.file, problems: sortProblems(evaluated.problems.all) };
}

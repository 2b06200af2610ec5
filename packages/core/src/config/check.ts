import { lint } from './lint.ts';
import { evaluateConfig, type LoadContext } from './load.ts';
import { sortProblems, type ConfigProblem } from './problem.ts';

/** All that can be said against a config: its mistakes, and what is legal but can't be meant. Never throws for a config's sake. */
export function checkConfig(source?: string | object, context: LoadContext = {}): ConfigProblem[] {
  const evaluated = evaluateConfig(source, context);
  lint(evaluated);
  return sortProblems(evaluated.problems.all);
}

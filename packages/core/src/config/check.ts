import { lint } from './lint.ts';
import { evaluateConfig, type EvaluatedConfig, type LoadContext } from './load.ts';
import { nodeAt } from './node.ts';
import { sortProblems, type ConfigProblem } from './problem.ts';

export interface CheckedConfig {
  /** The file that was checked; undefined where there was none. */
  readonly file: string | undefined;
  readonly problems: readonly ConfigProblem[];
}

/**
 * All that can be said against a config: its mistakes, and what is legal but can't be meant, in this environment and in each
 * that `environments` names. Never throws for a config's sake.
 */
export function checkConfig(source?: string | object, context: LoadContext = {}): CheckedConfig {
  const { env = process.env } = context;
  const evaluated = evaluateConfig(source, context);
  lint(evaluated);
  const problems = [...evaluated.problems.all];
  const seen = new Set(problems.map(keyOf));
  for (const overlay of overlaysOf(evaluated)) {
    const other = evaluateConfig(source, { ...context, env: { ...env, LOG_ENV: overlay } });
    lint(other);
    for (const problem of other.problems.all) {
      if (seen.has(keyOf(problem)) || BELONGS_TO_MACHINE.has(problem.code)) continue;
      seen.add(keyOf(problem));
      problems.push({ ...problem, message: `${problem.message} (in the environment ${overlay})` });
    }
  }
  return { file: evaluated.file, problems: sortProblems(problems) };
}

/** Variables, secrets and folders of another environment can't be judged from here. */
const BELONGS_TO_MACHINE: ReadonlySet<ConfigProblem['code']> = new Set(['CFG310', 'CFG312', 'CFG401']);

function overlaysOf({ node }: EvaluatedConfig): string[] {
  const environments = node && nodeAt(node, ['environments']);
  return environments?.kind === 'object' ? [...environments.members.keys()] : [];
}

function keyOf({ code, file, line, column, path, message }: ConfigProblem): string {
  return JSON.stringify([code, file, line, column, path, message]);
}

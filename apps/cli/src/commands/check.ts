import { checkConfig, formatProblems, type ConfigProblem, type ProblemFormat } from '@treeline/core/config';
import { loadContext, type ConfigFlags } from '../config-source.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { printable, writeOut } from '../terminal.ts';

export interface CheckFlags extends ConfigFlags {
  readonly output: ProblemFormat;
}

/** Prints what is wrong or doubtful about a config; gives the exit code. Nothing is started. */
export function check(given: string | undefined, flags: CheckFlags): number {
  const { file, problems } = checkConfig(given, loadContext(flags));
  if (file === undefined && problems.length === 0) {
    throw new CommandFailure(
      EXIT.noInput,
      `no config was found from ${process.cwd()}; name one: treeline check <config>`,
    );
  }
  writeOut(report(problems, given ?? file ?? '', flags.output));
  return exitCodeFor(problems);
}

function report(problems: readonly ConfigProblem[], file: string, output: ProblemFormat): string {
  if (output === 'text' && problems.length === 0) return `${printable(file)}: no mistakes\n`;
  const text = formatProblems(problems, output);
  return text === '' ? '' : `${text}\n`;
}

function exitCodeFor(problems: readonly ConfigProblem[]): number {
  if (problems.some(({ code }) => code === 'CFG001')) return EXIT.noInput;
  return problems.some(({ severity }) => severity === 'error') ? EXIT.config : EXIT.ok;
}

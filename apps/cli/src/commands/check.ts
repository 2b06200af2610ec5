import {
  ConfigError,
  formatProblems,
  loadConfig,
  type ConfigProblem,
  type ProblemFormat,
} from '@treeline/core/config';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { printable, writeOut } from '../terminal.ts';

export interface CheckOptions {
  readonly transport?: readonly string[];
  readonly output: ProblemFormat;
}

/** Prints what is wrong or doubtful about a config; gives the exit code. Nothing is started. */
export function check(file: string | undefined, { transport, output }: CheckOptions): number {
  const { problems, exitCode, checked } = examine(file, transport);
  writeOut(report(problems, checked, output));
  return exitCode;
}

interface Examination {
  readonly problems: readonly ConfigProblem[];
  readonly exitCode: number;
  /** The file that was checked. */
  readonly checked: string | undefined;
}

function examine(file: string | undefined, transports: readonly string[] | undefined): Examination {
  try {
    const { config, warnings } = loadConfig(file, {
      discoverFrom: process.cwd(),
      ...(transports && { transports }),
    });
    if (config.file === undefined) {
      throw new CommandFailure(
        EXIT.noInput,
        `no config was found from ${process.cwd()}; name one: treeline check <config>`,
      );
    }
    return { problems: warnings, exitCode: EXIT.ok, checked: file ?? config.file };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.problems, exitCode: error.exitCode, checked: file };
  }
}

function report(
  problems: readonly ConfigProblem[],
  checked: string | undefined,
  output: ProblemFormat,
): string {
  if (output === 'text' && problems.length === 0)
    return `${printable(checked ?? 'the config')}: no mistakes\n`;
  const text = formatProblems(problems, output);
  return text === '' ? '' : `${text}\n`;
}

import { EXIT, exitCodeOf } from './exit-code.ts';
import { tell, writeError } from './terminal.ts';

main(process.argv.slice(2)).catch((thrown: unknown) => {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  // A report on a config begins with the place, which editors read.
  if (isConfigError(thrown)) writeError(`${message}\n`);
  else tell(message);
  process.exitCode = exitCodeOf(thrown);
});

function isConfigError(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'ConfigError';
}

async function main(args: readonly string[]): Promise<void> {
  const prettyArgs = readPrettyArgs(args);
  process.exitCode = await (prettyArgs ? printPretty(prettyArgs) : runCommand());
}

/** The printer reads its own options, so that it behaves the same wherever it is called from, and starts without the others' parser. */
function readPrettyArgs([command, ...rest]: readonly string[]): readonly string[] | undefined {
  if (command === 'pretty') return rest;
  return command === 'help' && rest[0] === 'pretty' ? ['--help'] : undefined;
}

async function printPretty(args: readonly string[]): Promise<number> {
  const { runPretty } = await import('@treeline/pretty/cli');
  return runPretty(args);
}

async function runCommand(): Promise<number> {
  const [{ CommanderError }, { buildProgram }] = await Promise.all([
    import('commander'),
    import('./command-line.ts'),
  ]);
  let exitCode: number = EXIT.ok;
  const program = buildProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has printed its message already; its own code for every mistake is 1.
    exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return exitCode;
}

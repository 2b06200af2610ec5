import { createRequire } from 'node:module';
import { Command, InvalidArgumentError, Option } from 'commander';
import { EXIT } from './exit-code.ts';
import { tell } from './terminal.ts';

const DEFAULT_LIMIT = 1000;

/** Declares all commands. What a command needs is loaded when it runs, so that help and usage errors come at once. */
export function buildProgram(): Command {
  const program = new Command('treeline')
    .description('Structured logging: run a pipeline from a config file, ask a log store, check a config.')
    .version(readVersion(), '-V, --version')
    .exitOverride()
    .configureOutput({
      outputError: (text) => tell(text.trim().replace(/^error: /, '')),
    })
    .showHelpAfterError(false)
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage, 66 missing config or store, 78 mistakes in a config.');
  addRun(program);
  addQuery(program);
  addCheck(program);
  return program;
}

function addRun(program: Command): void {
  program
    .command('run')
    .summary('send NDJSON from standard input through a pipeline')
    .description(
      'Sends the lines of standard input through the pipeline of a config. Lines that are not JSON objects are kept as text\n' +
        'records. Ends when the input ends and every stream has delivered; a signal drains first, a second one ends at once.',
    )
    .option('-c, --config <file>', 'the config (default: $LOG_CONFIG_FILE, else the one found from here)')
    .option('--transport <package>', 'a package whose stream type the config may name; may be repeated', collect)
    .option('--stats', 'tell on stderr at the end what became of the lines')
    .addHelpText('after', '\nExample:\n  node app.js | treeline run -c logging-config.json')
    .action(async (options: { config?: string; transport?: string[]; stats?: boolean }) => {
      const { run } = await import('./commands/run.ts');
      process.exitCode = await run(options);
    });
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function readVersion(): string {
  const manifest = createRequire(import.meta.url)('../package.json') as { version: string };
  return manifest.version;
}

import { createRequire } from 'node:module';
import type { ProblemFormat } from '@treeline/core/config';
import { Command, Option } from 'commander';
import { addArchive } from './archive-commands.ts';
import type { CheckFlags } from './commands/check.ts';
import type { RunFlags } from './commands/run.ts';
import type { SpoolCatFlags } from './commands/spool-cat.ts';
import type { SpoolDrainFlags } from './commands/spool-drain.ts';
import type { SpoolListFlags } from './commands/spool-ls.ts';
import type { SpoolReplayFlags } from './commands/spool-replay.ts';
import type { ConfigFlags } from './config-source.ts';
import { addStoreCommands } from './store-commands.ts';
import { printable, writeError, writeOut } from './terminal.ts';

const CONFIG_ARGUMENT = 'the config (default: $LOG_CONFIG_FILE, else the one found from here)';

/** Declares all commands; `end` takes the exit code of the one that ran. What it needs is loaded then: help comes at once. */
export function buildProgram(end: (exitCode: number) => void): Command {
  const program = new Command('treeline')
    .description('Structured logging: run a pipeline from a config, ask a log store, print logs for people.')
    .version(readVersion(), '-V, --version')
    .exitOverride()
    .configureOutput({
      writeOut,
      writeErr: writeError,
      outputError: (text, write) => write(`treeline: ${printable(text.replace(/^error: /, '').trim())}\n`),
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 done; 1 failed; 2 wrong usage; 66 a config or store is missing; 75 try again later; 78 mistakes in a config.',
    );
  addRun(program, end);
  addStoreCommands(program, end);
  addArchive(program, end);
  addPretty(program);
  addRotate(program, end);
  addCheck(program, end);
  addConfig(program, end);
  addSpool(program, end);
  addInit(program, end);
  return program;
}

function addRun(program: Command, end: (exitCode: number) => void): void {
  program
    .command('run')
    .summary('send lines from standard input through a pipeline')
    .description(
      'Sends the lines of standard input through the pipeline of a config. Lines that are not JSON objects are kept as text records. ' +
        'Ends when the input has ended and every stream has delivered. A signal drains first, a second one ends at once.',
    )
    .option('-c, --config <file>', CONFIG_ARGUMENT)
    .addOption(transportOption())
    .option('--stats', 'tell on stderr at the end what became of the lines')
    .addHelpText('after', '\nExample:\n  node app.js | treeline run -c logging-config.json')
    .action(async (options: RunFlags) => {
      const { run } = await import('./commands/run.ts');
      end(await run(options));
    });
}

/** Named here for the list of commands: its options are the printer's own to read. */
function addPretty(program: Command): void {
  program
    .command('pretty')
    .summary('print any pino log for people')
    .usage('[options] [file...]')
    .description('Prints any pino log for people.');
}

function addRotate(program: Command, end: (exitCode: number) => void): void {
  program
    .command('rotate')
    .summary('make running programs begin a new log file')
    .description(
      'Asks the running programs that write a log file to rotate it now, and waits until they have. Prints the files that were rotated.',
    )
    .argument('<path>', 'the log, as the config names it, or the file that is being written')
    .addHelpText(
      'after',
      '\nExit codes: 0 rotated, or empty; 1 a program has not answered within 5 s; 66 no program writes the log, or it could not rotate.' +
        "\n\nExamples:\n  treeline rotate logs/app.log\n  treeline rotate 'logs/app-%DATE%.log'",
    )
    .action(async (path: string) => {
      const { rotate } = await import('./commands/rotate.ts');
      end(await rotate(path));
    });
}

function addCheck(program: Command, end: (exitCode: number) => void): void {
  program
    .command('check')
    .summary('find the mistakes of a config')
    .description('Finds all mistakes of a config, and what is doubtful in it. Starts nothing.')
    .argument('[config]', CONFIG_ARGUMENT)
    .addOption(transportOption())
    .addOption(
      new Option('-o, --output <form>', 'for people, for programs, or as annotations of a GitHub workflow')
        .choices(['text', 'json', 'github'] satisfies ProblemFormat[])
        .default('text'),
    )
    .addHelpText(
      'after',
      "\nExit codes: 0 no mistakes; 66 the config is missing or can't be read; 78 mistakes.",
    )
    .action(async (config: string | undefined, flags: CheckFlags) => {
      const { check } = await import('./commands/check.ts');
      end(check(config, flags));
    });
}

function addConfig(program: Command, end: (exitCode: number) => void): void {
  const config = program
    .command('config')
    .summary('print, explain, compare and test configs')
    .description('Prints, explains, compares and tests configs. Starts nothing; secrets are masked.');
  const load = (): Promise<typeof import('./commands/config.ts')> => import('./commands/config.ts');
  config
    .command('print')
    .description('Prints the config that holds: file, overlay, environment and defaults in one.')
    .argument('[config]', CONFIG_ARGUMENT)
    .option('--origin', 'tell where each value comes from')
    .addOption(transportOption())
    .action(async (file: string | undefined, flags: ConfigFlags & { origin?: true }) => {
      end((await load()).print(file, flags));
    });
  config
    .command('explain')
    .description('Tells what a value is, where it comes from, and what a change of it does.')
    .argument('<path>', 'the key, such as streams.file.level')
    .argument('[config]', CONFIG_ARGUMENT)
    .addOption(transportOption())
    .action(async (path: string, file: string | undefined, flags: ConfigFlags) => {
      end((await load()).explain(path, file, flags));
    });
  config
    .command('diff')
    .description('Tells what a reload from one config to the other would do to each stream.')
    .argument('<old>', 'the config that runs')
    .argument('<new>', 'the one to come')
    .addOption(transportOption())
    .action(async (from: string, to: string, flags: ConfigFlags) => {
      end((await load()).diff(from, to, flags));
    });
  config
    .command('schema')
    .description('Prints the JSON Schema of a config, for editors.')
    .action(async () => {
      end((await load()).schema());
    });
  config
    .command('test')
    .description('Runs the "tests" of a config. Exits with 1 where one fails.')
    .argument('[config]', CONFIG_ARGUMENT)
    .addOption(transportOption())
    .action(async (file: string | undefined, flags: ConfigFlags) => {
      end((await load()).test(file, flags));
    });
}

function addSpool(program: Command, end: (exitCode: number) => void): void {
  const spool = program
    .command('spool')
    .summary('see and deliver what is kept on disk')
    .description(
      'Shows and delivers what pipelines keep in the state directory of a config: lines that could not be delivered before their ' +
        'process ended, and records that a destination refused (dead letters). Nothing goes to a stream whose name or destination is another.',
    );
  spool
    .command('ls')
    .description(
      'Lists the logs with their owners and how far their streams lag, and the dead letters by reason.',
    )
    .option('-c, --config <file>', CONFIG_ARGUMENT)
    .addOption(transportOption())
    .addOption(
      new Option('-o, --output <form>', 'for people or for programs')
        .choices(['text', 'json'])
        .default('text'),
    )
    .action(async (flags: SpoolListFlags) => {
      const { list } = await import('./commands/spool-ls.ts');
      end(await list(flags));
    });
  spool
    .command('cat')
    .description('Prints the lines of a log, or of dead letters, as they were logged.')
    .argument('[log]', "the log's id or the beginning of it (default: the only one)")
    .option('-c, --config <file>', CONFIG_ARGUMENT)
    .addOption(transportOption())
    .option('--dead-letters', 'those of dead letters')
    .option('--stream <name>', 'what is still to come for this stream, or its dead letters')
    .option('--cursor <cursor>', 'go on behind that record')
    .option('--show-cursor', 'tell on stderr where the last line stands')
    .addOption(
      new Option('-o, --output <form>', 'as lines as they were logged, or as rows with place and reason')
        .choices(['jsonl', 'rows'])
        .default('jsonl'),
    )
    .action(async (log: string | undefined, flags: SpoolCatFlags) => {
      const { cat } = await import('./commands/spool-cat.ts');
      end(await cat(log, flags));
    });
  spool
    .command('replay')
    .description(
      'Sends dead letters again, each to the stream that it was for. What is refused once more stays.',
    )
    .option('-c, --config <file>', CONFIG_ARGUMENT)
    .addOption(transportOption())
    .option('--stream <name>', 'those of this stream alone')
    .addOption(timeoutOption())
    .action(async (flags: SpoolReplayFlags) => {
      const { replay } = await import('./commands/spool-replay.ts');
      end(await replay(flags));
    });
  spool
    .command('drain')
    .description(
      'Delivers what processes of the config that have ended left behind, as their next start would: for a script that never runs again.',
    )
    .option('-c, --config <file>', CONFIG_ARGUMENT)
    .addOption(transportOption())
    .addOption(timeoutOption())
    .addHelpText('after', '\nExit codes: 0 nothing is left for the streams of the config; 1 something is.')
    .action(async (flags: SpoolDrainFlags) => {
      const { drain } = await import('./commands/spool-drain.ts');
      end(await drain(flags));
    });
}

function timeoutOption(): Option {
  return new Option('--timeout <duration>', 'give up when a destination takes nothing for so long').default(
    '30s',
  );
}

function addInit(program: Command, end: (exitCode: number) => void): void {
  program
    .command('init')
    .summary('write a config to begin with')
    .description('Writes a config to begin with. Never overwrites a file.')
    .argument('[file]', 'where to', 'logging.config.jsonc')
    .action(async (file: string) => {
      const { init } = await import('./commands/config.ts');
      end(init(file));
    });
}

function transportOption(): Option {
  return new Option(
    '--transport <package>',
    'a package whose stream type the config may name; may be repeated',
  ).argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
}

function readVersion(): string {
  const manifest = createRequire(import.meta.url)('../package.json') as { version: string };
  return manifest.version;
}

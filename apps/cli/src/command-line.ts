import { createRequire } from 'node:module';
import type { ProblemFormat } from '@treeline/core/config';
import { Command, Option } from 'commander';
import { addArchive } from './archive-commands.ts';
import type { QueryFlags, QueryOutput } from './query-request.ts';
import type { CheckFlags } from './commands/check.ts';
import type { RunFlags } from './commands/run.ts';
import type { ConfigFlags } from './config-source.ts';
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
  addQuery(program, end);
  addArchive(program, end);
  addPretty(program);
  addCheck(program, end);
  addConfig(program, end);
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

function addQuery(program: Command, end: (exitCode: number) => void): void {
  program
    .command('query')
    .summary('print the records of a log store')
    .description(
      'Prints the records of a log store that meet all conditions, oldest first. The text is a condition in the query language, ' +
        'such as \'level>=error source:api "timed out"\'; the store comes last.',
    )
    .argument('[text]', 'a condition')
    .argument('[store]', 'the database (default: data/logs.db)')
    .option('-q, --query <text>', 'the condition, where it could be taken for a store')
    .option('--source <name>', 'who speaks')
    .option('--type <type>', 'what kind of event')
    .option('--ref <id>', 'which business object')
    .option('-l, --level <level>', 'this level and worse')
    .option('-S, --since <time>', 'from this time on: 2h, 1d, yesterday, "2026-03-04 14:30", …')
    .option('-U, --until <time>', 'before this time')
    .option('-g, --grep <text>', 'the message contains it')
    .option('-n, --limit <number>', 'how many of the newest, or "all" (default: 1000, with --follow 10)')
    .option('-f, --follow', 'go on with what is written')
    .option('-r, --reverse', 'newest first')
    .addOption(
      new Option(
        '-o, --output <form>',
        'for people, as lines as they were logged, or as rows with id and columns',
      )
        .choices(['pretty', 'jsonl', 'rows'] satisfies QueryOutput[])
        .default('pretty'),
    )
    .option('--utc', 'times without a zone are UTC instead of local')
    .option('--show-cursor', 'tell on stderr where the last record stands')
    .option('--cursor <cursor>', 'go on behind that record')
    .option('--exit-code', 'exit 1 when nothing matched')
    .addHelpText(
      'after',
      "\nExamples:\n  treeline query 'level>=error since:2h'\n  treeline query --source api --since yesterday -o jsonl logs/app.db",
    )
    .action(
      async (_text: string | undefined, _store: string | undefined, flags: QueryFlags, command: Command) => {
        const { query } = await import('./commands/query.ts');
        end(await query(command.args, flags));
      },
    );
}

/** Named here for the list of commands: its options are the printer's own to read. */
function addPretty(program: Command): void {
  program
    .command('pretty')
    .summary('print any pino log for people')
    .usage('[options] [file...]')
    .description('Prints any pino log for people.');
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

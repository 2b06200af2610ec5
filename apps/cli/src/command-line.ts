import { createRequire } from 'node:module';
import type { ProblemFormat } from '@treeline/core/config';
import type { TimeOptions } from '@treeline/query';
import { Command, Option } from 'commander';
import type { QueryOutput } from './commands/query.ts';
import type { RunOptions } from './commands/run.ts';
import { parseLevelOption, parseLimitOption } from './option-values.ts';
import { printable } from './terminal.ts';

const DEFAULT_STORE = 'data/logs.db';

/** Declares all commands. What a command needs is loaded when it runs, so that help and usage errors come at once. */
export function buildProgram(): Command {
  const program = new Command('treeline')
    .description('Structured logging: run a pipeline from a config, ask a log store, check a config.')
    .version(readVersion(), '-V, --version')
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(`treeline: ${printable(text.replace(/^error: /, '').trim())}\n`),
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 done; 1 failed; 2 wrong usage; 66 a config or store is missing; 78 mistakes in a config.',
    );
  addRun(program);
  addQuery(program);
  addCheck(program);
  return program;
}

function addRun(program: Command): void {
  program
    .command('run')
    .summary('send lines from standard input through a pipeline')
    .description(
      'Sends the lines of standard input through the pipeline of a config. Lines that are not JSON objects are kept as text records. ' +
        'Ends when the input has ended and every stream has delivered. A signal drains first, a second one ends at once.',
    )
    .option('-c, --config <file>', 'the config (default: $LOG_CONFIG_FILE, else the one found from here)')
    .addOption(transportOption())
    .option('--stats', 'tell on stderr at the end what became of the lines')
    .addHelpText('after', '\nExample:\n  node app.js | treeline run -c logging-config.json')
    .action(async (options: RunOptions) => {
      const { run } = await import('./commands/run.ts');
      process.exitCode = await run(options);
    });
}

interface QueryFlags {
  readonly source?: string;
  readonly type?: string;
  readonly ref?: string;
  readonly level?: number;
  readonly since?: string;
  readonly until?: string;
  readonly grep?: string;
  readonly limit?: number;
  readonly output: QueryOutput;
  readonly reverse?: true;
  readonly utc?: true;
  readonly exitCode?: true;
}

function addQuery(program: Command): void {
  const command = program
    .command('query')
    .summary('print the records of a log store')
    .description('Prints the records of a log store that meet all conditions, oldest first.')
    .argument('[store]', 'the database', DEFAULT_STORE)
    .option('--source <name>', 'who speaks')
    .option('--type <type>', 'what kind of event')
    .option('--ref <id>', 'which business object')
    .option('-l, --level <level>', 'this level and worse', parseLevelOption)
    .option('-S, --since <time>', 'from this time on: 2h, 1d, yesterday, "2026-03-04 14:30", …')
    .option('-U, --until <time>', 'before this time')
    .option('-g, --grep <text>', 'the message contains it')
    .option('-n, --limit <number>', 'how many of the newest, or "all" (default: 1000)', parseLimitOption)
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
    .option('--exit-code', 'exit 1 when nothing matched')
    .addHelpText('after', '\nExample:\n  treeline query --level error --since 2h logs/app.db');
  command.action(async (store: string, flags: QueryFlags) => {
    const time = { nowMs: Date.now(), utc: flags.utc ?? false };
    const conditions = {
      source: flags.source,
      type: flags.type,
      refId: flags.ref,
      level: flags.level,
      since: await readTime(command, 'since', time, flags.since),
      until: await readTime(command, 'until', time, flags.until),
      text: flags.grep,
    };
    const { query } = await import('./commands/query.ts');
    process.exitCode = await query({
      store,
      conditions,
      limit: flags.limit,
      output: flags.output,
      utc: time.utc,
      reverse: flags.reverse ?? false,
      exitCode: flags.exitCode ?? false,
    });
  });
}

function addCheck(program: Command): void {
  program
    .command('check')
    .summary('find the mistakes of a config')
    .description('Finds all mistakes of a config, and what is doubtful in it. Starts nothing.')
    .argument('[config]', 'the config (default: $LOG_CONFIG_FILE, else the one found from here)')
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
    .action(async (config: string | undefined, flags: { output: ProblemFormat; transport?: string[] }) => {
      const { check } = await import('./commands/check.ts');
      process.exitCode = await check(config, flags);
    });
}

function transportOption(): Option {
  return new Option(
    '--transport <package>',
    'a package whose stream type the config may name; may be repeated',
  ).argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
}

/** Read after parsing, since `--utc` may stand behind it. */
async function readTime(
  command: Command,
  name: 'since' | 'until',
  options: TimeOptions,
  text: string | undefined,
): Promise<number | undefined> {
  if (text === undefined) return undefined;
  const { resolveTime } = await import('@treeline/query');
  const span = resolveTime(text, options);
  return span
    ? span.startMs
    : command.error(
        `option '--${name} <time>' argument '${text}' is invalid. It must be like 2h, 1d, today, yesterday, friday, 14:30, 2026-03-04, "2026-03-04 14:30" or 2026-03-04T14:30:00Z.`,
      );
}

function readVersion(): string {
  const manifest = createRequire(import.meta.url)('../package.json') as { version: string };
  return manifest.version;
}

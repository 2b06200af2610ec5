import { Option, type Command } from 'commander';
import type { QueryFlags, QueryOutput } from './query-request.ts';
import type { DoctorFlags } from './commands/doctor.ts';
import type { RefFlags } from './commands/ref.ts';
import type { StatsFlags } from './commands/stats.ts';

type End = (exitCode: number) => void;

const LOGS_ARGUMENT = 'the store, or a log file or a folder of such (default: data/logs.db)';

/** Declares the commands that ask a store. */
export function addStoreCommands(program: Command, end: End): void {
  addQuery(program, end);
  addTail(program, end);
  addStats(program, end);
  addRef(program, end);
  addDoctor(program, end);
}

function addQuery(program: Command, end: End): void {
  const command = program
    .command('query')
    .summary('print the records of a log store, or count them')
    .description(
      'Prints the records of a log store that meet all conditions, oldest first. The text is a condition in the query language, ' +
        'such as \'level>=error source:api "timed out"\'; what stands behind a "|" in it counts, sorts or cuts what was found, and gives ' +
        'a table. The store comes last.',
    )
    .argument('[text]', 'a condition, and stages behind "|"')
    .argument('[logs]', LOGS_ARGUMENT);
  addConditions(command);
  addPrinting(command)
    .option('-n, --limit <number>', 'how many of the newest, or "all" (default: 1000, with --follow 10)')
    .option('-f, --follow', 'go on with what is written')
    .option('-r, --reverse', 'newest first')
    .option('--show-cursor', 'tell on stderr where the last record stands')
    .option('--cursor <cursor>', 'go on behind that record')
    .option('--exit-code', 'exit 1 when nothing matched')
    .option(
      '--timeout <duration>',
      'stop looking after this time: 10s, 2m; what was found is printed, exit 1',
    )
    .addHelpText(
      'after',
      "\nExamples:\n  treeline query 'level>=error since:2h'\n  treeline query --source api --since yesterday -o jsonl logs/app.db" +
        "\n  treeline query 'level>=error since:1d | count by source, type'",
    )
    .action(async (_text: unknown, _store: unknown, flags: QueryFlags, self: Command) => {
      const { query } = await import('./commands/query.ts');
      end(await query(self.args, flags));
    });
}

function addTail(program: Command, end: End): void {
  const command = program
    .command('tail')
    .summary('print the newest records, then what is written')
    .description(
      'Prints the newest records that meet the conditions, then those that are written, until Ctrl-C: "query --follow".',
    )
    .argument('[text]', 'a condition in the query language')
    .argument('[logs]', LOGS_ARGUMENT);
  addConditions(command);
  addPrinting(command)
    .option('-n, --limit <number>', 'how many of the newest come first', '10')
    .option('--cursor <cursor>', 'begin behind that record instead')
    .option('--show-cursor', 'tell on stderr where the last record stands')
    .addHelpText('after', "\nExample:\n  treeline tail -n 50 'level>=warn -source:health'")
    .action(async (_text: unknown, _store: unknown, flags: Omit<QueryFlags, 'follow'>, self: Command) => {
      const { query } = await import('./commands/query.ts');
      const { limit, ...others } = flags;
      // A cursor says where to begin, the default number must not.
      const begins = flags.cursor === undefined && limit !== undefined ? { limit } : {};
      end(await query(self.args, { ...others, ...begins, follow: true }));
    });
}

function addStats(program: Command, end: End): void {
  const command = program
    .command('stats')
    .summary('tell how many records there are, by level, source, type and time')
    .description('Tells how many records meet the conditions, by level, source, type and time.')
    .argument('[text]', 'a condition in the query language')
    .argument('[logs]', LOGS_ARGUMENT);
  addConditions(command)
    .option('--utc', 'times are UTC instead of local')
    .option(
      '--step <duration>',
      'the length of a step of time: 1m, 1h, 1d (default: one that gives some 20 steps)',
    )
    .option('--top <field>', 'the most frequent values of a field, such as req.url')
    .option('--timeout <duration>', 'stop looking after this time; what was counted is printed, exit 1')
    .addOption(
      new Option('-o, --output <form>', 'for people or for programs')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addHelpText('after', "\nExample:\n  treeline stats --since 1d --top req.url 'level>=warn'")
    .action(async (_text: unknown, _store: unknown, flags: StatsFlags, self: Command) => {
      const { stats } = await import('./commands/stats.ts');
      end(await stats(self.args, flags));
    });
}

function addRef(program: Command, end: End): void {
  program
    .command('ref')
    .summary('tell the story of one business object')
    .description(
      'Prints every record of one business object (ref_id), of all sources, oldest first, and what belongs to the same traces: as a tree of ' +
        'spans, each record at the place where it was logged.',
    )
    .argument('<id>', 'the object, such as ord_8812')
    .argument('[logs]', LOGS_ARGUMENT)
    .option('-S, --since <time>', 'from this time on')
    .option('-U, --until <time>', 'before this time')
    .option('--utc', 'times are UTC instead of local')
    .addOption(
      new Option('-o, --output <form>', 'a tree for people, or lines as they were logged')
        .choices(['tree', 'jsonl'])
        .default('tree'),
    )
    .option('--exit-code', 'exit 1 when nothing matched')
    .addHelpText('after', '\nExample:\n  treeline ref ord_8812')
    .action(async (id: string, store: string | undefined, flags: RefFlags) => {
      const { ref } = await import('./commands/ref.ts');
      end(await ref(id, store, flags));
    });
}

function addDoctor(program: Command, end: End): void {
  program
    .command('doctor')
    .summary('tell what costs space and time in a store')
    .description('Tells what costs space and time in a store, and what is amiss. Changes nothing.')
    .argument('[store]', 'the store (default: data/logs.db)')
    .option('--check', 'also read and check every page')
    .option('--utc', 'times are UTC instead of local')
    .addOption(
      new Option('-o, --output <form>', 'for people or for programs')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addHelpText('after', '\nExit codes: 0 nothing that needs a hand; 1 damaged.')
    .action(async (store: string | undefined, flags: DoctorFlags) => {
      const { doctor } = await import('./commands/doctor.ts');
      end(doctor(store, flags));
    });
}

/** The options that say which records are meant. */
function addConditions(command: Command): Command {
  return command
    .option('-q, --query <text>', 'the condition, where it could be taken for a store')
    .option('--source <name>', 'who speaks')
    .option('--type <type>', 'what kind of event')
    .option('--ref <id>', 'which business object')
    .option('-l, --level <level>', 'this level and worse')
    .option('-S, --since <time>', 'from this time on: 2h, 1d, yesterday, "2026-03-04 14:30", …')
    .option('-U, --until <time>', 'before this time')
    .option('-g, --grep <text>', 'the message contains it');
}

function addPrinting(command: Command): Command {
  return command
    .addOption(
      new Option(
        '-o, --output <form>',
        'for people, as lines as they were logged, or as rows with id and columns',
      )
        .choices(['pretty', 'jsonl', 'rows'] satisfies QueryOutput[])
        .default('pretty'),
    )
    .option('--utc', 'times without a zone are UTC instead of local');
}

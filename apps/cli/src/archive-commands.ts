import { Option, type Command } from 'commander';
import type { ArchiveOutput } from './archive-report.ts';
import type { ArchiveOutputFlag, ArchiveRestoreFlags, ArchiveRunFlags } from './commands/archive.ts';

const DEFAULT_STORE = 'data/logs.db';

/** Declares `treeline archive` and what is below it. */
export function addArchive(program: Command, end: (exitCode: number) => void): void {
  const archive = program
    .command('archive')
    .summary('move old rows of a store into verified files, and back')
    .description(
      'Moves old rows of a store into compressed files that are proved before anything is deleted. "treeline query" reads the store and its archive as one.',
    )
    .addHelpText(
      'after',
      '\nExit codes: 0 done; 1 damage was found; 66 the store or archive is missing; 75 another archiver is at work.',
    );
  const load = (): Promise<typeof import('./commands/archive.ts')> => import('./commands/archive.ts');
  archive
    .command('run')
    .description(
      'Moves rows that are older into the folder. Whatever ends it, the next run goes on where it stood.',
    )
    .argument('[store]', 'the database', DEFAULT_STORE)
    .requiredOption('--older-than <age>', 'rows that are older go: 30d, 12h, …')
    .requiredOption('--to <folder>', 'the folder of the archive; made where it is missing')
    .option('--gzip-level <level>', '1 (fast) to 9 (default: 6)')
    .addOption(outputOption('run'))
    .addHelpText('after', '\nExample:\n  treeline archive run --older-than 30d --to archive/ data/logs.db')
    .action(async (store: string, flags: ArchiveRunFlags) => {
      end(await (await load()).run(store, flags));
    });
  archive
    .command('list')
    .description('Lists the files of an archive: times, rows and sizes, by their manifests.')
    .argument('<folder>', 'the archive')
    .addOption(outputOption('list'))
    .action(async (folder: string, flags: ArchiveOutputFlag) => {
      end(await (await load()).list(folder, flags));
    });
  archive
    .command('verify')
    .description('Reads an archive from end to end and names what is damaged, missing or edited.')
    .argument('<folder>', 'the archive')
    .addOption(outputOption('run'))
    .action(async (folder: string, flags: ArchiveOutputFlag) => {
      end(await (await load()).verify(folder, flags));
    });
  archive
    .command('restore')
    .description(
      'Makes a new store of the rows of an archive, with the ids that they had. The archive stays as it is.',
    )
    .argument('<folder>', 'the archive')
    .requiredOption('--to <store>', 'the database to make')
    .addOption(outputOption('run'))
    .action(async (folder: string, flags: ArchiveRestoreFlags) => {
      end(await (await load()).restore(folder, flags));
    });
}

function outputOption(kind: 'run' | 'list'): Option {
  const text =
    kind === 'run'
      ? 'for people, or as JSON lines (default: JSON lines where standard output is no terminal)'
      : 'for people (default), or as JSON lines';
  return new Option('-o, --output <form>', text).choices(['text', 'jsonl'] satisfies ArchiveOutput[]);
}

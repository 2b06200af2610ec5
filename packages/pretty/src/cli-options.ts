import { options as schema } from './options.ts';

/** One option of the command line, for whoever parses it: commander, or `parsePrettyArgs`. */
export interface CliOption {
  /** As it is written, `--max-depth`; the spelling `--maxDepth` means the same. */
  readonly flag: string;
  readonly short?: string;
  /** What stands behind it; absent for a switch. */
  readonly value?: string;
  /** The value may be left out; then it is this. */
  readonly bareValue?: string;
  /** The key among the printer's options. */
  readonly key: string;
  readonly description: string;
}

/** pino-pretty's letters. */
const SHORTS: Readonly<Record<string, string>> = {
  colorize: '-c',
  crlf: '-f',
  errorLikeObjectKeys: '-k',
  levelFirst: '-l',
  messageKey: '-m',
  timestampKey: '-a',
  messageFormat: '-o',
  minimumLevel: '-L',
  customLevels: '-x',
  customColors: '-X',
  translateTime: '-t',
  ignore: '-i',
  include: '-I',
  hideObject: '-H',
  singleLine: '-S',
};

const BARE_VALUES: Readonly<Record<string, string>> = { color: 'always', translateTime: 'UTC:HH:MM:ss.l' };

/** Spellings of pino-pretty that are kept as they are. */
const CAMEL_CASED = new Set([
  'messageKey',
  'levelKey',
  'timestampKey',
  'errorLikeObjectKeys',
  'singleLine',
  'hideObject',
  'minimumLevel',
  'customLevels',
  'customColors',
  'messageFormat',
  'translateTime',
  'levelFirst',
]);

/** Set by the file that a transport writes to; the command prints to standard output. */
const NOT_ON_COMMAND_LINE = new Set(['destination', 'append', 'mkdir', 'sync']);

/** The printer's options as the command line has them, in the order of the schema. */
export const prettyCliOptions: readonly CliOption[] = Object.entries(schema.entries)
  .filter(([key]) => !NOT_ON_COMMAND_LINE.has(key))
  .map(([key, entry]) => {
    const short = SHORTS[key];
    const bareValue = BARE_VALUES[key];
    return {
      flag: `--${CAMEL_CASED.has(key) ? key : kebab(key)}`,
      key,
      description: descriptionOf(entry),
      ...(short === undefined ? {} : { short }),
      ...(isSwitch(entry) ? {} : { value: `<${valueName(entry)}>` }),
      ...(bareValue === undefined ? {} : { bareValue }),
    };
  });

function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The parts of valibot's schemas that are read here. */
interface SchemaPart {
  readonly type?: string;
  readonly wrapped?: SchemaPart;
  readonly pipe?: readonly SchemaPart[];
  readonly options?: readonly unknown[];
  readonly description?: string;
}

function innermost(part: SchemaPart): SchemaPart {
  if (part.wrapped) return innermost(part.wrapped);
  const [first] = part.pipe ?? [];
  return first && first !== part ? innermost({ ...first, pipe: [] }) : part;
}

function isSwitch(entry: SchemaPart): boolean {
  return innermost(entry).type === 'boolean';
}

function valueName(entry: SchemaPart): string {
  const { type, options } = innermost(entry);
  if (type === 'picklist') return (options ?? []).join('|');
  return type === 'number' ? 'n' : 'text';
}

function descriptionOf(entry: SchemaPart): string {
  const own = entry.pipe?.find((part) => part.description !== undefined)?.description;
  return own ?? (entry.wrapped ? descriptionOf(entry.wrapped) : '');
}

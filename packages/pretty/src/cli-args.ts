import { prettyCliOptions, type CliOption } from './cli-options.ts';
import { loadQuery } from './query-language.ts';

/** What a command line asks for. */
export interface PrettyArgs {
  /** Options by key, as texts and switches; not yet checked. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly files: readonly string[];
  readonly configFile: string | undefined;
  readonly showConfig: boolean;
  readonly strict: boolean;
  readonly help: boolean;
}

/** A command line, or a file of options, that can't be understood; the message is for people. */
export class UsageError extends Error {}

const OWN_FLAGS = ['--config', '--show-config', '--strict', '--help'];

/**
 * Parses the arguments of `treeline pretty`.
 *
 * @throws UsageError for an unknown option, or one whose value is missing.
 */
export function parsePrettyArgs(argv: readonly string[]): PrettyArgs {
  const options: Record<string, unknown> = {};
  const files: string[] = [];
  let configFile: string | undefined;
  let showConfig = false;
  let strict = false;
  let help = false;
  const rest = [...argv];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') {
      files.push(...rest.splice(0));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      files.push(arg);
      continue;
    }
    // `-SH` is `-S -H`; only here, since a value may look like that.
    if (/^-[A-Za-z]{2,}$/.test(arg)) {
      rest.unshift(...Array.from(arg.slice(1), (letter) => `-${letter}`));
      continue;
    }
    const equals = arg.indexOf('=');
    const flag = equals < 0 ? arg : arg.slice(0, equals);
    const given = equals < 0 ? undefined : arg.slice(equals + 1);
    if (flag === '--help' || flag === '-h') help = true;
    else if (sameFlag(flag, '--show-config')) showConfig = true;
    else if (flag === '--strict') strict = true;
    else if (flag === '--config') configFile = given ?? takeValue(flag, rest);
    else if (sameFlag(flag, '--no-color')) options['color'] = 'never';
    else {
      const option = findOption(flag);
      options[option.key] = valueOf(option, flag, given, rest);
    }
  }
  return { options, files, configFile, showConfig, strict, help };
}

function findOption(flag: string): CliOption {
  const found = prettyCliOptions.find((option) => option.short === flag || sameFlag(option.flag, flag));
  if (found) return found;
  const similar = loadQuery().closest(flag, [...prettyCliOptions.map((option) => option.flag), ...OWN_FLAGS]);
  throw new UsageError(`unknown option ${flag}${similar === undefined ? '' : `; did you mean ${similar}?`}`);
}

/** `--max-depth` and `--maxDepth` are one option. */
function sameFlag(a: string, b: string): boolean {
  return a.startsWith('--') && b.startsWith('--') && plain(a) === plain(b);
}

function plain(flag: string): string {
  return flag.replaceAll('-', '').toLowerCase();
}

function valueOf(option: CliOption, flag: string, given: string | undefined, rest: string[]): unknown {
  if (option.value === undefined) {
    if (given === undefined || given === 'true') return true;
    if (given === 'false') return false;
    throw new UsageError(`${flag} must be true or false; got ${JSON.stringify(given)}`);
  }
  if (option.bareValue === undefined) return typed(option, given ?? takeValue(flag, rest));
  if (given !== undefined) return given;
  // A bare --color before a file must not take the file for its value.
  const choices = option.value.slice(1, -1).split('|');
  const [next] = rest;
  const isValue =
    next !== undefined &&
    (choices.includes(next) || (option.key === 'translateTime' && /^(?:UTC|SYS):/.test(next)));
  return isValue ? rest.shift() : option.bareValue;
}

function takeValue(flag: string, rest: string[]): string {
  const value = rest.shift();
  if (value === undefined) throw new UsageError(`${flag} needs a value`);
  return value;
}

function typed(option: CliOption, text: string): unknown {
  return option.value === '<n>' && /^\d+$/.test(text) ? Number(text) : text;
}

import fs from 'node:fs';
import path from 'node:path';
import { messageOf } from '@treeline/contract';
import { UsageError } from './cli-args.ts';

/** A file that was asked for and can't be read. */
export class MissingFileError extends Error {}

/** What `treeline pretty` looks for where it is given no `--config`. */
export const PROJECT_FILE = 'treeline-pretty.json';

/** What would make a terminal unsafe: not for a file that merely lies in the folder somebody happens to stand in. */
const EXPLICIT_ONLY = ['raw', 'trustAnsi'];

export interface ConfigFile {
  readonly values: Readonly<Record<string, unknown>>;
  readonly file: string | undefined;
}

/**
 * Reads the options of the file that was named, else those of the project's own: `treeline-pretty.json` in the working directory or the
 * nearest folder above, up to the one with a package.json.
 *
 * @throws MissingFileError where the file that was named can't be read, UsageError where a file holds no options.
 */
export function readConfig(named: string | undefined, cwd: string): ConfigFile {
  if (named !== undefined) return { values: parseOptions(readText(named), named), file: named };
  const found = findProjectFile(cwd);
  if (found === undefined) return { values: {}, file: undefined };
  const values = parseOptions(readText(found), found);
  for (const key of EXPLICIT_ONLY) {
    if (Object.hasOwn(values, key))
      throw new UsageError(
        `${found} must not hold ${key}, which lets control characters through: give it on the command line, or the file with --config`,
      );
  }
  return { values, file: found };
}

function findProjectFile(cwd: string): string | undefined {
  for (let folder = cwd; ; folder = path.dirname(folder)) {
    const file = path.join(folder, PROJECT_FILE);
    if (isFile(file)) return file;
    if (folder === path.dirname(folder) || fs.existsSync(path.join(folder, 'package.json'))) return undefined;
  }
}

/** Reading a FIFO would wait for somebody to write. */
function isFile(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false, bigint: true })?.isFile() ?? false;
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new MissingFileError(`can't read "${file}": ${messageOf(error)}`);
  }
}

function parseOptions(text: string, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file} is no JSON: ${messageOf(error)}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new UsageError(`${file} must hold a JSON object of options`);
}

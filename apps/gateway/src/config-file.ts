import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf } from '@treeline/contract';
import * as v from 'valibot';

/** The path of a file in this app's `config` folder. */
export function configPath(name: string): string {
  return fileURLToPath(new URL(`../config/${name}`, import.meta.url));
}

/**
 * Reads a JSON file that must fit a schema.
 *
 * @throws Error that names the file and every wrong key.
 */
export function readConfig<const Schema extends v.GenericSchema>(
  path: string,
  schema: Schema,
): v.InferOutput<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path} can't be read: ${messageOf(error)}`, { cause: error });
  }
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const issues = result.issues.map((issue) => `${v.getDotPath(issue) ?? '(root)'}: ${issue.message}`);
  throw new Error(`${path} is not valid: ${issues.join('; ')}`);
}

const EX_CONFIG = 78;

/** A mistake in a config is told to whoever starts the service; where in our code it was noticed is nothing to them. */
export function orExit<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return process.exit(hasExitCode(error) ? error.exitCode : EX_CONFIG);
  }
}

function hasExitCode(error: unknown): error is { readonly exitCode: number } {
  return (
    typeof error === 'object' && error !== null && 'exitCode' in error && typeof error.exitCode === 'number'
  );
}

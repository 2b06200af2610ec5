import fs from 'node:fs';
import { createHash } from 'node:crypto';
import { pathToFileURL } from 'node:url';

/** What a module of a sense or a reflex exports. */
export type LoadedFunction = (context: unknown) => unknown;

/**
 * Imports the function that a module exports by default, as the file is now: another content is another module.
 *
 * @throws Error that names the file where it exports none.
 */
export async function loadFunction(file: string): Promise<LoadedFunction> {
  const version = createHash('sha256').update(fs.readFileSync(file)).digest('hex');
  const loaded = (await import(`${pathToFileURL(file).href}?version=${version}`)) as { default?: unknown };
  if (typeof loaded.default !== 'function') throw new TypeError(`${file} must export a function by default`);
  return loaded.default as LoadedFunction;
}

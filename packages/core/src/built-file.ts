import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The URL of a compiled module of this package. Node runs no TypeScript in workers, so from sources the build is used. */
export function builtFile(path: string): URL {
  return new URL(import.meta.url.endsWith('.ts') ? `../dist/${path}` : path, import.meta.url);
}

/** Loads a compiled module of this package in place, for what only some programs need: they alone pay for its import. */
export function requireBuilt(path: string): unknown {
  return createRequire(import.meta.url)(fileURLToPath(builtFile(path)));
}

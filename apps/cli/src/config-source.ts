import type { LoadContext } from '@treeline/core/config';

/** Options of every command that reads a config. */
export interface ConfigFlags {
  /** Packages whose stream types the config may use. */
  readonly transport?: readonly string[];
}

/** What surrounds a config that the command line reads: one that is not named is looked for from the working directory. */
export function loadContext({ transport }: ConfigFlags): LoadContext {
  return { discoverFrom: process.cwd(), ...(transport && { transports: transport }) };
}

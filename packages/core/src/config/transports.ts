import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { OptionsSchema } from '@treeline/contract';
import type { Finding } from './problem-list.ts';

/** A transport that the program lets a config use: a package by name, or a type with the module that stands for it. */
export type ListedTransport = string | { readonly type: string; readonly module: URL | string };

/** Stream types that are packages of ours. */
export const OWN_TRANSPORTS = {
  file: '@treeline/file',
  sqlite: '@treeline/sqlite',
  network: '@treeline/network',
} as const;

/** What a console stream prints with for people. */
export const PRINTER = '@treeline/pretty';

export type OwnType = keyof typeof OWN_TRANSPORTS;

export function isOwnType(type: string): type is OwnType {
  return Object.hasOwn(OWN_TRANSPORTS, type);
}

/** The folders from which packages are looked up, the first that has it wins: the config's, the working directory, core's own. */
export interface LookUp {
  readonly configDirectory: string | undefined;
  readonly cwd: string;
}

export interface ResolvedModule {
  readonly url: string;
  /** Loads another entry of the same package. */
  readonly require: NodeJS.Require;
}

/** Resolves a package or a file to its main entry, or says why that is impossible. */
export type Resolve = (specifier: string) => ResolvedModule | { readonly finding: Finding };

/** Looks each package up once: a config may have many streams of one type. */
export function createResolver(lookUp: LookUp): Resolve {
  const found = new Map<string, ReturnType<Resolve>>();
  return (specifier) => {
    const before = found.get(specifier) ?? resolveModule(specifier, lookUp);
    found.set(specifier, before);
    return before;
  };
}

function resolveModule(specifier: string, lookUp: LookUp): ReturnType<Resolve> {
  if (specifier.startsWith('file:')) {
    return { url: specifier, require: createRequire(specifier) };
  }
  let fault: unknown;
  for (const require of requires(lookUp)) {
    try {
      return { url: pathToFileURL(require.resolve(specifier)).href, require };
    } catch (error) {
      // A package that is there but broken says more than its absence elsewhere.
      if (fault === undefined || !isNotFound(error, specifier)) fault = error;
    }
  }
  return { finding: isNotFound(fault, specifier) ? notInstalled(specifier) : unusable(specifier, fault) };
}

/** The options schema of one of our transports, from its `./options`, which loads nothing but the schema. */
export function loadOptionsSchema(
  packageName: string,
  module: ResolvedModule,
): { readonly schema: OptionsSchema<unknown> } | { readonly finding: Finding } {
  try {
    const loaded: unknown = module.require(`${packageName}/options`);
    const options: unknown =
      typeof loaded === 'object' && loaded !== null && 'options' in loaded ? loaded.options : undefined;
    if (isStandardSchema(options)) return { schema: options };
    return {
      finding: { code: 'CFG203', message: `${packageName}/options exports no schema named "options"` },
    };
  } catch (error) {
    return { finding: unusable(packageName, error) };
  }
}

/** The module of a listed transport as a specifier; undefined where the program did not list the type. */
export function listedModule(type: string, transports: readonly ListedTransport[]): string | undefined {
  for (const listed of transports) {
    if (typeof listed === 'string') {
      if (listed === type) return listed;
    } else if (listed.type === type) {
      return moduleSpecifier(listed.module);
    }
  }
  return undefined;
}

function moduleSpecifier(module: URL | string): string {
  if (module instanceof URL) return module.href;
  return path.isAbsolute(module) ? pathToFileURL(module).href : module;
}

function requires(lookUp: LookUp): NodeJS.Require[] {
  const folders = [lookUp.configDirectory, lookUp.cwd, path.dirname(fileURLToPath(import.meta.url))];
  return folders
    .filter((folder) => folder !== undefined)
    .map((folder) => createRequire(path.join(folder, 'noop.js')));
}

function isNotFound(error: unknown, specifier: string): boolean {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'MODULE_NOT_FOUND') return false;
  return error.message.includes(`'${specifier}'`);
}

function notInstalled(specifier: string): Finding {
  return {
    code: 'CFG202',
    message: `the package ${specifier} is not installed`,
    suggestion: `npm install ${specifier}`,
  };
}

function unusable(specifier: string, error: unknown): Finding {
  const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
  return { code: 'CFG203', message: `the package ${specifier} can't be used: ${reason}` };
}

function isStandardSchema(value: unknown): value is OptionsSchema<unknown> {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value;
}

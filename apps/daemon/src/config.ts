import fs from 'node:fs';
import path from 'node:path';
import { messageOf, parseDuration } from '@treeline/contract';
import { loadConfig } from '@treeline/core/config';
import * as v from 'valibot';

/** A sense: a function over files and time. */
export interface SenseConfig {
  /** The module whose default export computes the value. */
  readonly module: string;
  /** Computed anew when one of them changes. */
  readonly files: readonly string[];
  /** And so often; undefined: only when a file changes. */
  readonly everyMs: number | undefined;
}

/** A reflex: a function that runs on signals. */
export interface ReflexConfig {
  readonly module: string;
  /** The senses whose signals trigger it. */
  readonly on: readonly string[];
}

/** A daemon's config; all paths are absolute. */
export interface DaemonConfig {
  /** A Treeline config, as it stands in the file. */
  readonly logging: { readonly streams: readonly Readonly<Record<string, unknown>>[] };
  /** The log store that senses may read. */
  readonly store: string;
  /** What the names of the files begin with that logging writes: a sense over one would let a log trigger a reflex. */
  readonly written: readonly string[];
  readonly senses: ReadonlyMap<string, SenseConfig>;
  readonly reflexes: ReadonlyMap<string, ReflexConfig>;
}

const duration = v.pipe(
  v.union([v.string(), v.number()]),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    try {
      const ms = parseDuration(dataset.value);
      if (ms >= 10) return ms;
      addIssue({ message: `must be at least 10ms; got ${JSON.stringify(dataset.value)}` });
    } catch (error) {
      addIssue({ message: messageOf(error) });
    }
    return NEVER;
  }),
);

const schema = v.strictObject({
  logging: v.looseObject({ streams: v.array(v.looseObject({})) }),
  store: v.string(),
  senses: v.record(
    v.string(),
    v.strictObject({
      module: v.string(),
      files: v.optional(v.array(v.string()), []),
      every: v.optional(duration),
    }),
  ),
  reflexes: v.record(v.string(), v.strictObject({ module: v.string(), on: v.array(v.string()) })),
});

/**
 * Reads a daemon's config; relative paths are against its folder.
 *
 * @throws Error that names the file and every mistake.
 */
export function readConfig(file: string): DaemonConfig {
  let json: unknown;
  try {
    json = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Error(`${file} can't be read: ${messageOf(cause)}`, { cause });
  }
  const result = v.safeParse(schema, json);
  if (!result.success) {
    const issues = result.issues.map((issue) => `${v.getDotPath(issue) ?? '(root)'}: ${issue.message}`);
    throw new Error(`${file} is not valid: ${issues.join('; ')}`);
  }
  const { logging, store, senses, reflexes } = result.output;
  const absolute = (name: string): string => path.resolve(path.dirname(file), name);
  const config: DaemonConfig = {
    logging,
    store: absolute(store),
    written: [absolute(store), ...writtenBy(logging, path.dirname(file))],
    senses: new Map(
      Object.entries(senses).map(([name, { module, files, every }]) => [
        name,
        { module: absolute(module), files: files.map(absolute), everyMs: every },
      ]),
    ),
    reflexes: new Map(
      Object.entries(reflexes).map(([name, { module, on }]) => [name, { module: absolute(module), on }]),
    ),
  };
  const mistakes = [...unknownTriggers(config), ...sensesOverLogs(config)];
  if (mistakes.length > 0) throw new Error(`${file} is not valid: ${mistakes.join('; ')}`);
  return config;
}

/** A trigger is the name of a sense: there is no other kind. */
function unknownTriggers({ senses, reflexes }: DaemonConfig): string[] {
  return [...reflexes].flatMap(([reflex, { on }]) =>
    on
      .filter((name) => !senses.has(name))
      .map((name) => `reflexes.${reflex}.on: there is no sense ${JSON.stringify(name)}`),
  );
}

/**
 * What logging writes, as the environment (`LOG_DIRECTORY`) has it too.
 *
 * @throws ConfigError where it can't be used.
 */
function writtenBy(logging: object, folder: string): string[] {
  const { streams, archive, stateDirectory } = loadConfig(logging, { cwd: folder }).config;
  const options = [...streams.map((stream) => stream.options), archive?.options];
  return [stateDirectory, ...options.flatMap((given) => pathsIn(given, folder))];
}

/** The paths in a stream's options: all that are absolute, as core makes them, and those that it leaves to the transport. */
function pathsIn(options: unknown, folder: string): string[] {
  if (typeof options !== 'object' || options === null) return [];
  const isSplit = 'splitBy' in options && options.splitBy !== undefined;
  return Object.entries(options).flatMap(([key, value]) => {
    if (typeof value !== 'string') return pathsIn(value, folder);
    if (key !== 'symlink' && !path.isAbsolute(value)) return [];
    const name = path.resolve(folder, value);
    // The value of the field stands before the extension.
    return isSplit ? [name, name.slice(0, name.length - path.extname(name).length)] : [name];
  });
}

/** The mistakes of a config whose senses watch what logging writes, which may be more than it says itself. */
export function sensesOverLogs(
  { senses, written }: DaemonConfig,
  alsoWritten: readonly string[] = [],
): string[] {
  const logs = [...written, ...alsoWritten];
  return [...senses].flatMap(([sense, { files }]) =>
    files
      .filter((file) => logs.some((log) => isWritten(log, file)))
      .map((file) => `senses.${sense}.files: ${file} is written by logging; read the log by queryLogs`),
  );
}

/**
 * Whether writing `log` changes `file`: the same, a side file of it (`logs.db-wal`, `app.log.1`), or a folder around it. What comes
 * behind `%DATE%` or `%INDEX%` in a log's name is not compared.
 */
function isWritten(log: string, file: string): boolean {
  const [base = ''] = path.basename(log).split(/%(?:DATE|INDEX)%/);
  const written = `${realPath(path.dirname(log))}${path.sep}${base}`;
  const watched = realPath(file);
  const isAround = `${realPath(log)}${path.sep}`.startsWith(`${watched}${path.sep}`);
  // Both, as a log that is a link itself is written where that leads.
  return (
    isAround ||
    [written, realPath(log)].some((name) => watched.startsWith(name)) ||
    path.resolve(file).startsWith(written)
  );
}

function realPath(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(realPath(parent), path.basename(file));
  }
}

import fs from 'node:fs';
import path from 'node:path';
import { messageOf, parseDuration } from '@treeline/contract';
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
  const mistakes = [...unknownTriggers(config), ...sensesOverLogs(config, absolute)];
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

/** A sense that watched a file which logging writes would let a log trigger a reflex. */
function sensesOverLogs(
  { logging, store, senses }: DaemonConfig,
  absolute: (name: string) => string,
): string[] {
  const logs = [
    store,
    ...logging.streams.flatMap(({ path: name }) => (typeof name === 'string' ? absolute(name) : [])),
  ];
  return [...senses].flatMap(([sense, { files }]) =>
    files
      .filter((file) => logs.some((log) => isWritten(log, file)))
      .map((file) => `senses.${sense}.files: ${file} is written by logging; read the log by queryLogs`),
  );
}

/** Whether writing `log` changes `file`: the same, a side file of it (`logs.db-wal`, `app.log.1`), or a folder around it. */
function isWritten(log: string, file: string): boolean {
  const [written, watched] = [realPath(log), realPath(file)];
  return watched.startsWith(written) || written.startsWith(`${watched}${path.sep}`);
}

function realPath(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(realPath(parent), path.basename(file));
  }
}

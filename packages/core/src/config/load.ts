import path from 'node:path';
import type { OptionsSchema } from '@treeline/contract';
import { parseDirectives, type LevelDirective } from '@treeline/query/directives';
import type { PipelineConfig } from './config.ts';
import { readArchive } from './archive.ts';
import { applyEnvironment } from './environment.ts';
import type { Environment } from './interpolate.ts';
import { applyOverlay, readSource } from './layers.ts';
import { merge } from './merge.ts';
import { nodeAt, nodeFrom, textAt, withValue, type ConfigNode } from './node.ts';
import { readObject } from './parse.ts';
import { warnOfPending } from './pending.ts';
import { ProblemList } from './problem-list.ts';
import { ConfigError, sortProblems, type ConfigProblem } from './problem.ts';
import { readCommon } from './routing.ts';
import { rootSchema, type RootConfig } from './schema.ts';
import { readStreams } from './streams.ts';
import { createResolver, type ListedTransport } from './transports.ts';
import { validate } from './validate.ts';

/** What surrounds a config while it is loaded. */
export interface LoadContext {
  /** @default process.env */
  readonly env?: Environment;
  /** @default process.cwd() */
  readonly cwd?: string;
  /** Packages and modules that the config may use beyond our own. */
  readonly transports?: readonly ListedTransport[];
  /** Laid over everything else, in the config's own shape. */
  readonly overrides?: object;
  /** Where an unnamed config is looked for (default: the folder of the main script): the nearest package at or above it. */
  readonly discoverFrom?: string;
}

export interface LoadedConfig {
  readonly config: PipelineConfig;
  /** What was read, by absolute path: the config and those that it extends. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Reads, checks and completes a config: a path, an object in the same shape, or what `LOG_CONFIG_FILE` names or the
 * application's root holds; without any, one console stream. Writes nothing and opens nothing.
 *
 * @throws ConfigError with all mistakes at once.
 */
export function loadConfig(source?: string | object, context: LoadContext = {}): LoadedConfig {
  const { config, files, problems } = evaluateConfig(source, context);
  const sorted = sortProblems(problems.all);
  if (problems.hasErrors || !config) throw new ConfigError(sorted, [...files.keys()]);
  return { config, files, warnings: sorted };
}

/** All that is known about a config, mistakes or not. */
export interface EvaluatedConfig {
  readonly problems: ProblemList;
  /** Absolute; undefined for an object, and where nothing was found. */
  readonly file: string | undefined;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** All layers in one, as they were written; undefined where nothing could be read. */
  readonly node: ConfigNode | undefined;
  /** The schema of the options of each stream in `node`, where it has one. */
  readonly optionSchemas: readonly (OptionsSchema<unknown> | undefined)[];
  /** The schema of what stands under `archive`, where the config has one. */
  readonly archiveSchema: OptionsSchema<unknown> | undefined;
  /** Undefined where there are mistakes. */
  readonly config: PipelineConfig | undefined;
  readonly env: Environment;
}

/** Does the work of `loadConfig`, and keeps what explains it. */
export function evaluateConfig(source: string | object | undefined, context: LoadContext): EvaluatedConfig {
  const { env = process.env, cwd = process.cwd(), transports = [], overrides } = context;
  const problems = new ProblemList();
  const files = new Map<string, Uint8Array>();
  const found = readSource(source, { env, cwd, discoverFrom: context.discoverFrom, files }, problems);
  if (!found)
    return {
      problems,
      file: undefined,
      files,
      node: undefined,
      optionSchemas: [],
      archiveSchema: undefined,
      config: undefined,
      env,
    };
  const layered = applyOverlay(found.node, env, problems);
  const fromEnv = applyEnvironment(layered, env, problems);
  const over = overrides && readObject(overrides, { kind: 'override' }, problems);
  const merged = over ? merge(fromEnv, over, problems) : fromEnv;
  const node = withDefaultStreams(merged, problems);
  const built = build(node, { file: found.file, cwd, transports, problems });
  return {
    problems,
    file: found.file,
    files,
    node,
    env,
    ...built,
    config: problems.hasErrors ? undefined : built.config,
  };
}

interface BuildContext {
  readonly file: string | undefined;
  readonly cwd: string;
  readonly transports: readonly ListedTransport[];
  readonly problems: ProblemList;
}

function build(
  node: ConfigNode,
  { file, cwd, transports, problems }: BuildContext,
): Pick<EvaluatedConfig, 'config' | 'optionSchemas' | 'archiveSchema'> {
  const root = validate(rootSchema, node, problems, { at: [] });
  warnOfPending(node, problems);
  const directory = textAt(node, ['directory']) || undefined;
  const base = directory === undefined ? undefined : path.resolve(cwd, directory);
  const context = {
    problems,
    resolve: createResolver({ configDirectory: file === undefined ? undefined : path.dirname(file), cwd }),
    transports,
    directories: { cwd, base },
    spoolMaxBytes: root?.spool.maxBytes ?? 0,
    probe: root?.enabled !== false,
  };
  const { streams, optionSchemas } = readStreams(nodeAt(node, ['streams']) ?? node, context);
  const { archive, schema: archiveSchema } = readArchive(node, streams, context);
  const directives = readLevels(node, problems);
  return {
    config: root && complete(root, { file, cwd, base, streams, directives, ...(archive && { archive }) }),
    optionSchemas,
    archiveSchema,
  };
}

/** Without `streams` there is a console; an empty list is taken at its word. */
function withDefaultStreams(node: ConfigNode, problems: ProblemList): ConfigNode {
  const streams = nodeAt(node, ['streams']);
  if (!streams && node.kind === 'object') {
    return withValue(
      node,
      ['streams'],
      nodeFrom([{ name: 'console', type: 'console' }], { kind: 'default' }),
    );
  }
  if (streams?.kind === 'array' && streams.items.length === 0) {
    problems.add(streams.origin, ['streams'], {
      code: 'CFG601',
      severity: 'warning',
      message: '"streams" is empty: nothing is written',
      suggestion: 'remove the key for a console stream',
    });
  }
  return node;
}

function readLevels(node: ConfigNode, problems: ProblemList): LevelDirective[] {
  const levels = nodeAt(node, ['levels']);
  if (levels?.kind !== 'object') return [];
  return [...levels.members].flatMap(([name, member]) => {
    const level = member.value.kind === 'scalar' ? member.value.value : undefined;
    const { directives, errors } = parseDirectives(`${name}=${String(level)}`);
    // A level that is none has been reported by the schema.
    if (errors.length === 0 || parseDirectives(`${name}=info`).errors.length === 0) return directives;
    const message = `"levels" holds ${JSON.stringify(name)}, which names no logger: ${errors[0]?.message}`;
    problems.add(member.keyOrigin, ['levels', name], {
      code: 'CFG502',
      message,
      suggestion: errors[0]?.suggestion,
    });
    return [];
  });
}

function complete(
  root: RootConfig,
  parts: Pick<PipelineConfig, 'file' | 'streams' | 'directives' | 'archive'> & {
    cwd: string;
    base: string | undefined;
  },
): PipelineConfig {
  const { file, cwd, base, streams, directives, archive } = parts;
  const stateDirectory =
    root.stateDirectory === undefined
      ? path.join(base ?? path.join(cwd, 'logs'), '.treeline')
      : path.resolve(cwd, root.stateDirectory);
  return {
    file,
    enabled: root.enabled,
    level: root.level,
    directives,
    timestamp: root.timestamp,
    serviceName: root.serviceName,
    ...(root.serviceVersion !== undefined && { serviceVersion: root.serviceVersion }),
    ...(root.environment !== undefined && { environment: root.environment }),
    fields: root.fields ?? {},
    streams,
    stateDirectory,
    mode: root.mode,
    durability: root.durability,
    windowBytes: root.window,
    spool: root.spool,
    shutdownTimeoutMs: root.shutdown.timeout,
    ...(archive && { archive }),
    ...readCommon(root),
  };
}

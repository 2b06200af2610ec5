import fs from 'node:fs';
import path from 'node:path';
import { parseDirectives, type LevelDirective } from '@treeline/query';
import type { PipelineConfig } from './config.ts';
import { discoverConfigs } from './discover.ts';
import { applyEnvironment } from './environment.ts';
import { interpolate, readFault, type Environment } from './interpolate.ts';
import { merge } from './merge.ts';
import { nodeAt, nodeFrom, textAt, withoutKey, withValue, type ConfigNode, type Origin } from './node.ts';
import { decodeConfig, parseConfig, readObject } from './parse.ts';
import { notBuilt, warnOfPending } from './pending.ts';
import { ProblemList } from './problem-list.ts';
import { ConfigError, sortProblems, type ConfigProblem } from './problem.ts';
import { rootSchema, type RootConfig } from './schema.ts';
import { readStreams } from './streams.ts';
import type { ListedTransport } from './transports.ts';
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
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Reads, checks and completes a config: a path, an object in the same shape, or what `LOG_CONFIG_FILE` names or the
 * application's root holds; without any, one console stream. Writes nothing and opens nothing.
 *
 * @throws ConfigError with all mistakes at once.
 */
export function loadConfig(source?: string | object, context: LoadContext = {}): LoadedConfig {
  const { env = process.env, cwd = process.cwd(), transports = [], overrides } = context;
  const problems = new ProblemList();
  const found = readSource(source, { env, cwd, discoverFrom: context.discoverFrom }, problems);
  if (!found) throw new ConfigError(sortProblems(problems.all));
  const layered = applyOverlay(found.node, env, problems);
  const fromEnv = applyEnvironment(layered, env, problems);
  const over = overrides && readObject(overrides, { kind: 'override' }, problems);
  const node = over ? merge(fromEnv.config, over, problems) : fromEnv.config;
  const config = build(node, { ...found, env, cwd, transports, problems }, fromEnv.directives);
  if (problems.hasErrors || !config) throw new ConfigError(sortProblems(problems.all));
  return { config, warnings: sortProblems(problems.all) };
}

interface Source {
  readonly node: ConfigNode;
  /** Absolute. */
  readonly file: string | undefined;
}

interface Surroundings {
  readonly env: Environment;
  readonly cwd: string;
  readonly discoverFrom: string | undefined;
}

function readSource(
  source: string | object | undefined,
  { env, cwd, discoverFrom }: Surroundings,
  problems: ProblemList,
): Source | undefined {
  if (typeof source === 'object') {
    const node = readObject(source, { kind: 'object' }, problems);
    return node && { node: interpolate(node, env, problems), file: undefined };
  }
  if (source !== undefined) return readFileSource(source, { kind: 'file', file: source }, env, cwd, problems);
  const named = env['LOG_CONFIG_FILE'];
  if (named)
    return readFileSource(named, { kind: 'variable', variable: 'LOG_CONFIG_FILE' }, env, cwd, problems);
  const [file, other] = discoverConfigs(cwd, discoverFrom);
  if (file === undefined) return { node: nodeFrom({}, { kind: 'default' }), file: undefined };
  if (other !== undefined) {
    const names = [file, other].map((name) => path.relative(cwd, name)).join(' and ');
    const message = `there are two configs: ${names}`;
    problems.add({ kind: 'file' }, [], {
      code: 'CFG001',
      message,
      suggestion: 'keep one, or name it in LOG_CONFIG_FILE',
    });
    return undefined;
  }
  return readFileSource(path.relative(cwd, file), { kind: 'file', file }, env, cwd, problems);
}

const MAX_EXTENDS = 16;

function readFileSource(
  name: string,
  origin: Origin,
  env: Environment,
  cwd: string,
  problems: ProblemList,
): Source | undefined {
  const file = path.resolve(cwd, name);
  const bytes = readBytes(file);
  if (typeof bytes === 'string') {
    const message = `the config ${name} can't be read: ${bytes}`;
    problems.add(origin, [], {
      code: 'CFG001',
      message,
      suggestion: 'check the path, or make one with "treeline init"',
    });
    return undefined;
  }
  const node = readLayer(bytes, name, env, problems);
  return node && { node: extend(node, { file, name, chain: [file], env, cwd, problems }), file };
}

function readBytes(file: string): Buffer | string {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    return readFault(error);
  }
}

function readLayer(
  bytes: Buffer,
  name: string,
  env: Environment,
  problems: ProblemList,
): ConfigNode | undefined {
  const text = decodeConfig(bytes, name, problems);
  const node = text === undefined ? undefined : parseConfig(text, name, problems);
  return node && interpolate(node, env, problems);
}

interface ExtendContext {
  readonly file: string;
  readonly name: string;
  readonly chain: readonly string[];
  readonly env: Environment;
  readonly cwd: string;
  readonly problems: ProblemList;
}

/** Lays a config over those that it extends. */
function extend(node: ConfigNode, context: ExtendContext): ConfigNode {
  const value = nodeAt(node, ['extends']);
  if (!value) return node;
  const own = withoutKey(node, ['extends']);
  const items = value.kind === 'array' ? value.items : [value];
  let base: ConfigNode | undefined;
  for (const item of items) {
    // A wrong type is the schema's to report.
    if (item.kind !== 'scalar' || typeof item.value !== 'string') return node;
    const layer = readExtended(item.value, item.origin, context);
    if (layer) base = base ? merge(base, layer, context.problems) : layer;
  }
  return base ? merge(base, own, context.problems) : own;
}

function readExtended(target: string, origin: Origin, context: ExtendContext): ConfigNode | undefined {
  const { chain, cwd, env, problems } = context;
  const file = path.resolve(path.dirname(context.file), target);
  const refuse = (reason: string): undefined => {
    problems.add(origin, ['extends'], {
      code: 'CFG320',
      message: `extends ${JSON.stringify(target)}: ${reason}`,
    });
  };
  if (chain.includes(file)) return refuse('the configs extend each other in a circle');
  if (chain.length >= MAX_EXTENDS) return refuse(`more than ${MAX_EXTENDS} configs stand on each other`);
  const bytes = readBytes(file);
  if (typeof bytes === 'string') return refuse(bytes);
  const name = path.relative(cwd, file) || file;
  const node = readLayer(bytes, name, env, problems);
  return node && extend(node, { ...context, file, name, chain: [...chain, file] });
}

function applyOverlay(node: ConfigNode, env: Environment, problems: ProblemList): ConfigNode {
  const environments = nodeAt(node, ['environments']);
  const chosen = env['LOG_ENV'] || env['NODE_ENV'];
  if (!chosen || environments?.kind !== 'object') return node;
  const overlay = environments.members.get(chosen)?.value;
  if (!overlay && env['LOG_ENV']) {
    const names = [...environments.members.keys()].join(', ');
    const message = `LOG_ENV names no overlay of "environments"; got ${JSON.stringify(chosen)}`;
    problems.add({ kind: 'variable', variable: 'LOG_ENV' }, ['environments'], {
      code: 'CFG302',
      message,
      suggestion: `known: ${names}`,
    });
  }
  if (overlay?.kind !== 'object') return node;
  const streams = overlay.members.get('streams');
  if (streams && streams.value.kind !== 'object') {
    problems.add(streams.keyOrigin, ['environments', chosen, 'streams'], {
      code: 'CFG330',
      message:
        '"streams" of an overlay must be an object by stream name; a list would silently replace all streams',
      suggestion: 'write { "<name>": { … } }',
    });
    return node;
  }
  return merge(node, overlay, problems, { overlay: chosen });
}

interface BuildContext {
  readonly file: string | undefined;
  readonly env: Environment;
  readonly cwd: string;
  readonly transports: readonly ListedTransport[];
  readonly problems: ProblemList;
}

function build(
  given: ConfigNode,
  context: BuildContext,
  envDirectives: readonly LevelDirective[],
): PipelineConfig | undefined {
  const { cwd, problems } = context;
  const node = withDefaultStreams(given, problems);
  const root = validate(rootSchema, node, problems, { at: [] });
  warnOfPending(node, problems);
  const directory = textAt(node, ['directory']) || undefined;
  const base = directory === undefined ? undefined : path.resolve(cwd, directory);
  const streams = readStreams(nodeAt(node, ['streams']) ?? node, {
    problems,
    lookUp: { configDirectory: context.file && path.dirname(context.file), cwd },
    transports: context.transports,
    directories: { cwd, base },
    spoolMaxBytes: root?.spool.maxBytes ?? 0,
    probe: root?.enabled !== false,
  });
  const directives = [...readLevels(node, problems), ...envDirectives];
  if (envDirectives.length > 0) {
    problems.add({ kind: 'variable', variable: 'LOG_LEVEL' }, ['levels'], {
      code: 'CFG701',
      severity: 'warning',
      message: notBuilt('a level for single loggers'),
    });
  }
  return root && complete(root, { file: context.file, cwd, base, streams, directives });
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
  parts: Pick<PipelineConfig, 'file' | 'streams' | 'directives'> & { cwd: string; base: string | undefined },
): PipelineConfig {
  const { file, cwd, base, streams, directives } = parts;
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
    fields: root.fields ?? {},
    streams,
    stateDirectory,
    mode: root.mode,
    durability: root.durability,
    windowBytes: root.window,
    spool: root.spool,
    shutdownTimeoutMs: root.shutdown.timeout,
  };
}

import fs from 'node:fs';
import path from 'node:path';
import { discoverConfigs } from './discover.ts';
import { interpolate, readFault, type Environment } from './interpolate.ts';
import { MAX_BYTES } from './limits.ts';
import { merge } from './merge.ts';
import {
  nodeAt,
  nodeFrom,
  withoutKey,
  withValue,
  type ConfigNode,
  type Member,
  type ObjectNode,
  type Origin,
} from './node.ts';
import { decodeConfig, parseConfig, readObject } from './parse.ts';
import type { ProblemList } from './problem-list.ts';

/** A config as it was read, before the environment lies over it. */
export interface Source {
  readonly node: ConfigNode;
  /** Absolute. */
  readonly file: string | undefined;
}

export interface Surroundings {
  readonly env: Environment;
  readonly cwd: string;
  /** The folder whose application is searched for a config; the main program's where it is absent. */
  readonly discoverFrom: string | undefined;
  /** Takes what was read, by absolute path. */
  readonly files: Map<string, Uint8Array>;
}

/** Reads the config that a program named, or finds one; undefined, with a problem added, where it can't be read. */
export function readSource(
  source: string | object | undefined,
  surroundings: Surroundings,
  problems: ProblemList,
): Source | undefined {
  const { env, cwd, discoverFrom } = surroundings;
  if (typeof source === 'object') {
    const node = readObject(source, { kind: 'object' }, problems);
    return node && { node: interpolateLayer(node, env, problems), file: undefined };
  }
  if (source !== undefined)
    return readFileSource(source, { kind: 'file', file: source }, surroundings, problems);
  const named = env['LOG_CONFIG_FILE'];
  if (named)
    return readFileSource(named, { kind: 'variable', variable: 'LOG_CONFIG_FILE' }, surroundings, problems);
  const [found, other] = discoverConfigs(cwd, discoverFrom);
  if (!found) return { node: nodeFrom({}, { kind: 'default' }), file: undefined };
  const name = path.relative(cwd, found.file);
  if (other) {
    const message = `there are two configs: ${name} and ${path.relative(cwd, other.file)}`;
    const suggestion = 'keep one, or name it in LOG_CONFIG_FILE';
    problems.add({ kind: 'file' }, [], { code: 'CFG007', message, suggestion });
    return undefined;
  }
  return readFileSource(name, { kind: 'file', file: name }, surroundings, problems, found.key);
}

const MAX_EXTENDS = 16;

function readFileSource(
  name: string,
  origin: Origin,
  { env, cwd, files }: Surroundings,
  problems: ProblemList,
  key?: string,
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
  files.set(file, bytes);
  const node = readLayer(bytes, name, env, problems, key);
  return node && { node: extend(node, { file, name, chain: [file], env, cwd, files, problems }), file };
}

/** Reads a file, a pipe or a device, one byte past the limit at most; or says why not. */
function readBytes(file: string): Buffer | string {
  let fd: number | undefined;
  try {
    fd = fs.openSync(file, 'r');
    const bytes = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = fs.readSync(fd, bytes, length, bytes.length - length, null);
    }
    return bytes.subarray(0, length);
  } catch (error) {
    return readFault(error);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

function readLayer(
  bytes: Buffer,
  name: string,
  env: Environment,
  problems: ProblemList,
  key?: string,
): ConfigNode | undefined {
  const text = decodeConfig(bytes, name, problems);
  const whole = text === undefined ? undefined : parseConfig(text, name, problems);
  const node = whole && key !== undefined ? nodeAt(whole, [key]) : whole;
  return node && interpolateLayer(node, env, problems);
}

/** An overlay that is not chosen, and tests, may use variables that only exist elsewhere: they stay as they are. */
function interpolateLayer(node: ConfigNode, env: Environment, problems: ProblemList): ConfigNode {
  if (node.kind !== 'object') return interpolate(node, env, problems);
  const members = new Map<string, Member>();
  for (const [key, member] of node.members) {
    const { value } = member;
    if (key === 'tests') members.set(key, member);
    else if (key === 'environments')
      members.set(key, { ...member, value: interpolateChosen(value, env, problems) });
    else members.set(key, { ...member, value: interpolate(value, env, problems, [key]) });
  }
  return { ...node, members };
}

function interpolateChosen(environments: ConfigNode, env: Environment, problems: ProblemList): ConfigNode {
  const chosen = overlayName(env);
  const overlay = chosen === undefined ? undefined : nodeAt(environments, [chosen]);
  if (chosen === undefined || !overlay) return environments;
  return withValue(environments, [chosen], interpolate(overlay, env, problems, ['environments', chosen]));
}

function overlayName(env: Environment): string | undefined {
  return env['LOG_ENV'] || env['NODE_ENV'] || undefined;
}

interface ExtendContext {
  readonly file: string;
  readonly name: string;
  readonly chain: readonly string[];
  readonly env: Environment;
  readonly cwd: string;
  readonly files: Map<string, Uint8Array>;
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
  if (typeof bytes === 'string') {
    // It may come: who waits for that has to know of it.
    context.files.set(file, new Uint8Array());
    return refuse(bytes);
  }
  context.files.set(file, bytes);
  const name = path.relative(cwd, file) || file;
  const node = readLayer(bytes, name, env, problems);
  return node && extend(node, { ...context, file, name, chain: [...chain, file] });
}

/** Lays the overlay that `LOG_ENV`, else `NODE_ENV`, names over a config. */
export function applyOverlay(node: ConfigNode, env: Environment, problems: ProblemList): ConfigNode {
  const environments = nodeAt(node, ['environments']);
  const chosen = overlayName(env);
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
  refuseTopKeys(overlay, chosen, problems);
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

/** Keys that have done their part before an overlay is chosen. */
const TOP_KEYS: ReadonlySet<string> = new Set(['$schema', 'version', 'extends', 'environments', 'tests']);

function refuseTopKeys(overlay: ObjectNode, chosen: string, problems: ProblemList): void {
  for (const [key, { keyOrigin }] of overlay.members) {
    if (!TOP_KEYS.has(key)) continue;
    const message = `${JSON.stringify(key)} has no meaning in an overlay`;
    problems.add(keyOrigin, ['environments', chosen, key], {
      code: 'CFG330',
      message,
      suggestion: 'move it to the top',
    });
  }
}

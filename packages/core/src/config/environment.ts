import { LEVEL_NAMES, parseBytes } from '@treeline/contract';
import { closest } from '@treeline/query/closest';
import { formatDirectives, parseDirectives } from '@treeline/query/directives';
import type { Environment } from './interpolate.ts';
import {
  nodeAt,
  nodeFrom,
  replacing,
  textAt,
  withoutKey,
  withValue,
  type ConfigNode,
  type Origin,
  type Path,
} from './node.ts';
import type { ProblemList } from './problem-list.ts';
import { MAX_STREAMS } from './limits.ts';
import { describeLevel } from './issue-message.ts';

/** An environment variable that changes a config. */
export interface Variable {
  readonly name: string;
  /** The keys that it sets; behind `streams` stands a stream's type. */
  readonly sets: readonly Path[];
  readonly description: string;
  /** The values to set, or what the value must be. */
  readonly read: (value: string, config: ConfigNode) => readonly (readonly [Path, unknown])[] | string;
}

/** All variables with a fixed name; `LOG_LEVEL_<STREAM>` comes beside them. */
export const VARIABLES: readonly Variable[] = [
  {
    name: 'LOG_DIRECTORY',
    sets: [['directory']],
    description: 'Where relative paths of streams begin; sets `directory`.',
    read: (value) => [[['directory'], value]],
  },
  {
    name: 'LOG_RETENTION_DAYS',
    sets: [['streams', 'file', 'retention', 'maxAge']],
    description: 'Days that rotated files are kept; sets `retention.maxAge` of `file` streams.',
    read: (value, config) =>
      isCount(value)
        ? onStreams(config, ['file'], ['retention', 'maxAge'], `${value}d`)
        : 'must be a whole number of days, 1 or more',
  },
  {
    name: 'LOG_MAX_FILES',
    sets: [['streams', 'file', 'retention', 'maxFiles']],
    description: 'Rotated files that are kept; sets `retention.maxFiles` of `file` streams.',
    read: (value, config) =>
      isCount(value)
        ? onStreams(config, ['file'], ['retention', 'maxFiles'], Number(value))
        : 'must be a whole number, 1 or more',
  },
  {
    name: 'LOG_MAX_FILE_SIZE',
    sets: [['streams', 'file', 'rotation', 'size']],
    description: 'The size at which a file is rotated; sets `rotation.size` of `file` streams.',
    read: (value, config) =>
      isSize(value) ? onStreams(config, ['file'], ['rotation', 'size'], value) : 'must be a size such as 10M',
  },
  feature('ENABLE_REQUEST_TRACKING', 'requestTracking'),
  feature('ENABLE_STREAM_TRACKING', 'streamTracking'),
  feature('ENABLE_ERROR_ENHANCEMENT', 'errorLogging'),
  feature('ENABLE_PERFORMANCE_METRICS', 'performanceMetrics'),
];

/** Variables that are read elsewhere: before there is a config, or as more than one value. */
export const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  LOG_CONFIG_FILE: 'The config to read where the program names none.',
  LOG_ENV: 'The overlay of `environments` to use; `NODE_ENV` where it is unset.',
  LOG_LEVEL: 'The root level, or directives: `info,db=debug`.',
};

/** The variables with a fixed name that set a key. */
export function variablesFor(path: Path): string[] {
  const wanted = path.join('.');
  const names = VARIABLES.filter(({ sets }) => sets.some((keys) => keys.join('.') === wanted)).map(
    ({ name }) => name,
  );
  return wanted === 'level' ? ['LOG_LEVEL', ...names] : names;
}

function feature(name: string, key: string): Variable {
  return {
    name,
    sets: [['enhancedFeatures', key, 'enabled']],
    description: `Switches \`enhancedFeatures.${key}\` on or off.`,
    read: (value) => {
      const flag = readFlag(value);
      return flag === undefined
        ? 'must be true, false, 1, 0, yes, no, on or off'
        : [[['enhancedFeatures', key, 'enabled'], flag]];
    },
  };
}

function readFlag(value: string): boolean | undefined {
  if (/^(?:true|1|yes|on)$/i.test(value)) return true;
  return /^(?:false|0|no|off)$/i.test(value) ? false : undefined;
}

function isCount(value: string): boolean {
  return /^[1-9]\d{0,8}$/.test(value);
}

function isSize(value: string): boolean {
  try {
    return parseBytes(value) > 0;
  } catch {
    return false;
  }
}

function onStreams(
  config: ConfigNode,
  types: readonly string[],
  path: Path,
  value: unknown,
): [Path, unknown][] {
  return streamsOf(config)
    .filter(({ type }) => types.includes(type))
    .map(({ index }) => [['streams', index, ...path], value]);
}

interface StreamPlace {
  readonly index: number;
  readonly type: string;
  readonly name: string;
}

/** Type and name of each stream, as far as they can be told before the config was checked. */
function streamsOf(config: ConfigNode): StreamPlace[] {
  const streams = nodeAt(config, ['streams']);
  if (streams?.kind !== 'array') return [];
  return streams.items.slice(0, MAX_STREAMS).map((item, index) => {
    const type = textAt(item, ['type']) ?? '';
    return { index, type, name: textAt(item, ['name']) ?? defaultName(type, index) };
  });
}

/** What a stream without a name is called. */
export function defaultName(type: string, index: number): string {
  return `${type}-${index + 1}`;
}

/** The variable that sets a stream's level. */
export function levelVariable(streamName: string): string {
  return `LOG_LEVEL_${streamName.replace(/[^A-Za-z0-9]+/g, '_').toUpperCase()}`;
}

/** Lays the environment over a config. Empty variables count as unset. */
export function applyEnvironment(config: ConfigNode, env: Environment, problems: ProblemList): ConfigNode {
  let result = config;
  const set = (path: Path, value: unknown, origin: Origin): void => {
    // Of equally specific rules for levels the last wins: one that comes again moves to the end.
    const before = nodeAt(result, path);
    const cleared = path[0] === 'levels' ? withoutKey(result, path) : result;
    result = withValue(cleared, path, replacing(nodeFrom(value, origin), before));
  };
  for (const variable of VARIABLES) {
    const value = env[variable.name];
    if (!value) continue;
    const origin: Origin = { kind: 'variable', variable: variable.name };
    const changes = variable.read(value, result);
    if (typeof changes === 'string') {
      problems.add(origin, [], {
        code: 'CFG302',
        message: `${variable.name} ${changes}; got ${JSON.stringify(value)}`,
      });
    } else {
      for (const [path, changed] of changes) set(path, changed, origin);
    }
  }
  applyRootLevel(env, problems, set);
  applyStreamLevels(config, env, problems, set);
  warnOfSlips(config, env, problems);
  return result;
}

type Set = (path: Path, value: unknown, origin: Origin) => void;

function applyRootLevel(env: Environment, problems: ProblemList, set: Set): void {
  const text = env['LOG_LEVEL'];
  if (!text) return;
  const origin: Origin = { kind: 'variable', variable: 'LOG_LEVEL' };
  const { directives, errors } = parseDirectives(text);
  for (const error of errors) {
    const where = directives.length + errors.length > 1 ? ` at column ${error.start + 1}` : '';
    problems.add(origin, ['level'], {
      code: 'CFG302',
      message: `LOG_LEVEL: ${error.message}${where}`,
      suggestion: error.suggestion,
    });
  }
  for (const directive of directives) {
    const key = formatDirectives([directive]).replace(/=?[a-z]+$/, '');
    set(key === '' ? ['level'] : ['levels', key], levelName(directive.level), origin);
  }
}

function levelName(level: number): string {
  const names = LEVEL_NAMES.filter((name) => name !== 'silent');
  return names[level / 10 - 1] ?? 'silent';
}

function applyStreamLevels(config: ConfigNode, env: Environment, problems: ProblemList, set: Set): void {
  const owners = new Map<string, StreamPlace>();
  for (const stream of streamsOf(config)) {
    const variable = levelVariable(stream.name);
    const value = env[variable];
    if (!value) continue;
    const origin: Origin = { kind: 'variable', variable };
    const path = ['streams', stream.index, 'level'];
    const owner = owners.get(variable);
    if (owner && owner.name !== stream.name) {
      const message = `${variable} could mean the stream "${owner.name}" or "${stream.name}"`;
      problems.add(origin, path, { code: 'CFG404', message, suggestion: 'rename one of them' });
    } else if ((LEVEL_NAMES as readonly string[]).includes(value)) {
      owners.set(variable, stream);
      set(path, value, origin);
    } else {
      problems.add(origin, path, { ...describeLevel(value, JSON.stringify(value)), code: 'CFG302' });
    }
  }
}

/** Only near misses: a program has `LOG_*` variables of its own. */
function warnOfSlips(config: ConfigNode, env: Environment, problems: ProblemList): void {
  const levels = streamsOf(config).map((stream) => levelVariable(stream.name));
  const fixed = [...Object.keys(OTHER_VARIABLES), ...VARIABLES.map((variable) => variable.name)];
  const known = new Set([...fixed, ...levels]);
  for (const name of Object.keys(env)) {
    if (!/^(?:LOG|ENABLE)/.test(name) || known.has(name)) continue;
    const origin: Origin = { kind: 'variable', variable: name };
    const similar = closest(name, [...known], 2);
    if (similar !== undefined) {
      problems.add(origin, [], {
        code: 'CFG301',
        severity: 'warning',
        message: 'not a known variable',
        suggestion: `did you mean ${similar}?`,
      });
    } else if (name.startsWith('LOG_LEVEL_')) {
      const message = `names no stream; known: ${levels.join(', ') || 'none'}`;
      problems.add(origin, [], { code: 'CFG301', severity: 'warning', message });
    }
  }
}

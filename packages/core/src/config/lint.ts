import { formatLevel, LEVELS, parseBytes, parseLevel } from '@treeline/contract';
import { compileFilter, compileLevelFilter, parseFilter } from '@treeline/query';
import type { PipelineConfig, StreamConfig } from './config.ts';
import type { Environment } from './interpolate.ts';
import type { EvaluatedConfig } from './load.ts';
import { keyOriginAt, nodeAt, originAt, textAt, toValue, type ConfigNode, type Path } from './node.ts';
import type { ProblemList } from './problem-list.ts';
import type { ProblemCode } from './problem-codes.ts';
import { keysOfSchema } from './schema-shape.ts';

/** Adds what is legal in a config and still can't be meant, as warnings. */
export function lint({ config, node, problems, env, optionSchemas }: EvaluatedConfig): void {
  if (!config || !node) return;
  const streams = nodeAt(node, ['streams']);
  for (const [index, stream] of (streams?.kind === 'array' ? streams.items : []).entries()) {
    const warn = warner(node, ['streams', index], problems);
    const name = textAt(stream, ['name']);
    const loaded = config.streams.find((candidate) => candidate.name === name);
    if (loaded) lintLevels(loaded, levelThatHolds(loaded, config), warn);
    lintSample(stream, loaded, warn);
    lintRotation(stream, keysOfSchema(optionSchemas[index] ?? {}), warn);
  }
  lintLevelVariable(config, node, env, problems);
  lintShutdown(config, node, env, problems);
}

type Warn = (path: Path, code: ProblemCode, message: string, suggestion: string) => void;

function warner(root: ConfigNode, at: Path, problems: ProblemList): Warn {
  return (path, code, message, suggestion) => {
    const full = [...at, ...path];
    problems.add(keyOriginAt(root, full), full, { code, severity: 'warning', message, suggestion });
  };
}

/** A stream's level, or the root's; 0 where that is not all that decides: a program may set it, and loggers' own levels may be lower. */
function levelThatHolds({ level }: StreamConfig, config: PipelineConfig): number {
  if (level !== undefined) return level;
  return config.level === 'silent' || config.directives.length > 0 ? 0 : parseLevel(config.level);
}

/** A stream that no level of pino's can reach. */
function lintLevels(stream: StreamConfig, level: number, warn: Warn): void {
  const { maxLevel = Infinity, filter } = stream;
  const isOpen = (candidate: number): boolean => candidate >= level && candidate <= maxLevel;
  const open = Object.values(LEVELS).filter(isOpen);
  if (open.length === 0) {
    const reason =
      stream.level === Infinity
        ? 'its level is silent'
        : `${stream.level === undefined ? 'the root level' : 'its level'} ${formatLevel(level)} is above its maxLevel ${formatLevel(maxLevel)}`;
    const key = stream.level === undefined ? 'maxLevel' : 'level';
    warn(
      [key],
      'CFG604',
      `the stream "${stream.name}" can never receive a record: ${reason}`,
      'switch it off with "enabled": false, or mend the levels',
    );
    return;
  }
  const passes = filter === undefined ? undefined : compileLevelFilter(parseFilter(filter));
  if (passes && !open.some((candidate) => passes(candidate))) {
    warn(
      ['filter'],
      'CFG604',
      `the stream "${stream.name}" can never receive a record: its filter shuts out every level that its levels let through`,
      'mend the filter or the levels',
    );
  }
}

/** Sampling is for the many: an error that is left out is missed. */
function lintSample(stream: ConfigNode, loaded: StreamConfig | undefined, warn: Warn): void {
  const rate = nodeAt(stream, ['sample', 'rate']);
  if (rate?.kind !== 'scalar' || typeof rate.value !== 'number' || rate.value >= 1) return;
  if ((loaded?.maxLevel ?? Infinity) < LEVELS.error) return;
  const keep = textAt(stream, ['sample', 'keep']);
  const keeps = keep !== undefined && compileFilter(parseFilter(keep), { nowMs: Date.now() });
  if (keeps && keeps({ level: LEVELS.error }) && keeps({ level: LEVELS.fatal })) return;
  warn(
    ['sample'],
    'CFG606',
    `the sample of the stream "${textAt(stream, ['name']) ?? ''}" drops errors too`,
    'add "keep": "level>=error"',
  );
}

/** Where the transport can delete old files, rotation alone fills the disk more slowly. */
function lintRotation(stream: ConfigNode, optionKeys: readonly string[], warn: Warn): void {
  const rotation = nodeAt(stream, ['rotation']);
  if (!rotation) return;
  if (optionKeys.includes('retention') && !nodeAt(stream, ['retention'])) {
    warn(['rotation'], 'CFG605', 'rotated files are never deleted', 'add "retention": { "maxAge": "14d" }');
  }
  const size = nodeAt(rotation, ['size']);
  const value = size && toValue(size);
  if (typeof value !== 'number' && typeof value !== 'string') return;
  if (parseBytes(value) < 1024) {
    warn(
      ['rotation', 'size'],
      'CFG603',
      `rotation.size ${value} means ${parseBytes(value)} bytes`,
      `did you mean "${String(value).replace(/\D+$/, '')}M"?`,
    );
  }
}

/** `LOG_LEVEL` moves the root level, which nobody follows where every stream has a level of its own. */
function lintLevelVariable(
  config: PipelineConfig,
  node: ConfigNode,
  env: Environment,
  problems: ProblemList,
): void {
  if (!env['LOG_LEVEL'] || config.streams.length === 0) return;
  if (originAt(node, ['level']).variable !== 'LOG_LEVEL') return;
  if (config.streams.some((stream) => stream.level === undefined)) return;
  problems.add({ kind: 'variable', variable: 'LOG_LEVEL' }, ['level'], {
    code: 'CFG608',
    severity: 'warning',
    message: 'has no effect: every stream has a level of its own',
    suggestion: 'remove "level" from the streams that should follow, or set LOG_LEVEL_<STREAM>',
  });
}

interface Platform {
  readonly name: string;
  readonly graceMs: number;
  readonly remedy: string;
}

/** How long a platform waits after it asked a process to end, as it shows itself in the environment. */
function platformOf(env: Environment): Platform | undefined {
  if (env['KUBERNETES_SERVICE_HOST']) {
    // https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
    return { name: 'Kubernetes', graceMs: 30_000, remedy: 'set terminationGracePeriodSeconds' };
  }
  if (env['pm_id'] !== undefined || env['PM2_HOME'] !== undefined) {
    // https://pm2.keymetrics.io/docs/usage/signals-clean-restart/
    return { name: 'PM2', graceMs: 1_600, remedy: 'set kill_timeout' };
  }
  // https://www.freedesktop.org/software/systemd/man/latest/systemd-system.conf.html#DefaultTimeoutStartSec=
  return env['INVOCATION_ID']
    ? { name: 'systemd', graceMs: 90_000, remedy: 'set TimeoutStopSec' }
    : undefined;
}

function lintShutdown(
  config: PipelineConfig,
  node: ConfigNode,
  env: Environment,
  problems: ProblemList,
): void {
  const platform = platformOf(env);
  if (!platform || config.shutdownTimeoutMs < platform.graceMs) return;
  problems.add(keyOriginAt(node, ['shutdown', 'timeout']), ['shutdown', 'timeout'], {
    code: 'CFG607',
    severity: 'warning',
    message: `shutdown.timeout is ${config.shutdownTimeoutMs / 1000}s, and ${platform.name} ends a process after ${platform.graceMs / 1000}s`,
    suggestion: `shorten it, or ${platform.remedy}`,
  });
}

import { formatPath, keyOriginAt, nodeAt, type ConfigNode, type Path } from './node.ts';
import type { ProblemList } from './problem-list.ts';

/** Keys of the config's shape that nothing acts on yet. A line goes when its feature comes. */
export const PENDING_KEYS: readonly Path[] = [
  ['serviceVersion'],
  ['environment'],
  ['redact'],
  ['levels'],
  ['tests'],
  ['reload'],
  ['enhancedFeatures', 'requestTracking'],
  ['enhancedFeatures', 'streamTracking'],
  ['enhancedFeatures', 'errorLogging'],
  ['enhancedFeatures', 'performanceMetrics'],
];

/** Keys of every stream that nothing acts on yet. */
export const PENDING_STREAM_KEYS: readonly string[] = [
  'sample',
  'rateLimit',
  'dedupe',
  'redact',
  'fields',
  'fallback',
];

/** Options that the config's shape knows; where an installed transport does not, they are named in a warning. */
export const KNOWN_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  file: ['rotation', 'retention', 'compress', 'format', 'perProcess', 'splitBy', 'mode'],
  sqlite: ['retention', 'format'],
  network: [],
  console: [],
};

/** Names what a config asks for in vain; what it switches off is not asked for. */
export function warnOfPending(config: ConfigNode, problems: ProblemList): void {
  const warn = (path: Path): void => {
    const node = nodeAt(config, path);
    if (!node || isSwitchedOff(node)) return;
    problems.add(keyOriginAt(config, path), path, {
      code: 'CFG701',
      severity: 'warning',
      message: `${formatPath(path)} is known, but not built yet: it has no effect`,
    });
  };
  for (const path of PENDING_KEYS) warn(path);
  const streams = nodeAt(config, ['streams']);
  if (streams?.kind !== 'array') return;
  for (const index of streams.items.keys()) {
    for (const key of PENDING_STREAM_KEYS) warn(['streams', index, key]);
  }
}

function isSwitchedOff(node: ConfigNode): boolean {
  const enabled = nodeAt(node, ['enabled']);
  return enabled?.kind === 'scalar' && enabled.value === false;
}

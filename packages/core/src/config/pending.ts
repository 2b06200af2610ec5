import { formatPath, keyOriginAt, nodeAt, toValue, type ConfigNode, type Path } from './node.ts';
import type { ProblemList } from './problem-list.ts';

/** A key of the config's shape that nothing acts on yet. Its line goes when its feature comes. */
interface Pending {
  readonly path: Path;
  /** The value that asks for nothing. */
  readonly unless?: unknown;
}

const PENDING: readonly Pending[] = [{ path: ['enhancedFeatures', 'performanceMetrics'] }];

/** The text of a warning about something that is known, but not built yet. */
function notBuilt(what: string): string {
  return `${what} is known, but not built yet: it has no effect`;
}

/** Names what a config asks for in vain; what it switches off is not asked for. */
export function warnOfPending(config: ConfigNode, problems: ProblemList): void {
  for (const { path, unless } of PENDING) warnAt(config, path, unless, problems);
}

function warnAt(config: ConfigNode, path: Path, unless: unknown, problems: ProblemList): void {
  const node = nodeAt(config, path);
  if (!node || isSwitchedOff(node) || (unless !== undefined && toValue(node) === unless)) return;
  problems.add(keyOriginAt(config, path), path, {
    code: 'CFG701',
    severity: 'warning',
    message: notBuilt(formatPath(path)),
  });
}

function isSwitchedOff(node: ConfigNode): boolean {
  const enabled = nodeAt(node, ['enabled']);
  return enabled?.kind === 'scalar' && enabled.value === false;
}

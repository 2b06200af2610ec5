import { formatPath, replacing, type ConfigNode, type Member, type ObjectNode, type Origin } from './node.ts';
import type { ProblemList } from './problem-list.ts';
import { closest } from '@treeline/query/closest';

/**
 * Lays one config over another: objects merge, lists and values replace, `null` deletes. `streams` given as an object
 * changes streams of the list below by their names.
 */
export function merge(
  base: ConfigNode,
  over: ConfigNode,
  problems: ProblemList,
  origin?: Partial<Origin>,
): ConfigNode {
  return mergeNodes(base, origin ? relabel(over, origin) : over, [], problems);
}

function mergeNodes(
  base: ConfigNode | undefined,
  over: ConfigNode,
  path: string[],
  problems: ProblemList,
): ConfigNode {
  if (over.kind !== 'object') return replacing(over, base);
  if (base?.kind === 'array' && path.length === 1 && path[0] === 'streams') {
    return mergeStreams(base.items, over, problems);
  }
  const members = new Map(base?.kind === 'object' ? base.members : []);
  for (const [key, member] of over.members) {
    if (isNull(member.value)) members.delete(key);
    else
      members.set(key, {
        ...member,
        value: mergeNodes(members.get(key)?.value, member.value, [...path, key], problems),
      });
  }
  return { kind: 'object', origin: base?.kind === 'object' ? base.origin : over.origin, members };
}

function mergeStreams(items: readonly ConfigNode[], over: ObjectNode, problems: ProblemList): ConfigNode {
  const names = items.map(nameOf);
  const merged: (ConfigNode | undefined)[] = [...items];
  for (const [name, change] of over.members) {
    const index = names.indexOf(name);
    if (index === -1) addStream(name, change, names, merged, problems);
    else
      merged[index] = isNull(change.value)
        ? undefined
        : mergeNodes(items[index], change.value, ['streams', name], problems);
  }
  const kept = merged.filter((item) => item !== undefined);
  return { kind: 'array', origin: items[0]?.origin ?? over.origin, items: kept };
}

/** A name that is new must bring a whole stream with it; else it is most likely a slip. */
function addStream(
  name: string,
  change: Member,
  names: readonly (string | undefined)[],
  merged: (ConfigNode | undefined)[],
  problems: ProblemList,
): void {
  const { value, keyOrigin } = change;
  if (value.kind === 'object' && value.members.has('type')) {
    const nameNode: Member = { keyOrigin, value: { kind: 'scalar', origin: keyOrigin, value: name } };
    merged.push({ ...value, members: new Map([['name', nameNode], ...value.members]) });
    return;
  }
  const known = names.filter((other) => other !== undefined);
  const similar = closest(name, known);
  problems.add(keyOrigin, ['streams', name], {
    code: 'CFG330',
    message: `the overlay ${formatPath(['streams', name])} names no stream`,
    suggestion: similar
      ? `did you mean "${similar}"?`
      : `streams: ${known.join(', ') || 'none'}; a new one needs a "type"`,
  });
}

function nameOf(node: ConfigNode): string | undefined {
  const name = node.kind === 'object' ? node.members.get('name')?.value : undefined;
  return name?.kind === 'scalar' && typeof name.value === 'string' ? name.value : undefined;
}

function isNull(node: ConfigNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

function relabel(node: ConfigNode, origin: Partial<Origin>): ConfigNode {
  const own = { ...node.origin, ...origin };
  if (node.kind === 'scalar') return { ...node, origin: own };
  if (node.kind === 'array')
    return { ...node, origin: own, items: node.items.map((item) => relabel(item, origin)) };
  const members = new Map<string, Member>();
  for (const [key, member] of node.members) {
    members.set(key, { keyOrigin: { ...member.keyOrigin, ...origin }, value: relabel(member.value, origin) });
  }
  return { ...node, origin: own, members };
}

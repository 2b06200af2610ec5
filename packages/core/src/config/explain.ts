import { levelVariable, variablesFor } from './environment.ts';
import { evaluateConfig, type EvaluatedConfig, type LoadContext } from './load.ts';
import { formatPath, nodeAt, textAt, type ConfigNode, type Path } from './node.ts';
import { effectiveNode, formatOrigin, printScalar } from './print-config.ts';
import { reloadClassOf } from './reload-class.ts';
import { rootSchema, streamSchema } from './schema.ts';
import { defaultOf, descriptionOf, entriesOf } from './schema-shape.ts';
import { closest } from '@treeline/query';

/**
 * Says everything about one value of a config: what it is, where it comes from, what it took the place of, what it means, which
 * variable sets it, and what a reload does when it changes. A stream is named: `streams.file.level`, or `streams[1].level`.
 *
 * @throws ConfigError for a config with mistakes. RangeError for a path that leads nowhere.
 */
export function explainConfig(path: string, source?: string | object, context: LoadContext = {}): string {
  const evaluated = evaluateConfig(source, context);
  const root = effectiveNode(evaluated);
  const keys = resolveKeys(root, parseKeys(path));
  const schema = schemaAt(keys, evaluated);
  const node = nodeAt(root, keys);
  if (!node && !schema)
    throw new RangeError(
      `path must name a key of the config; got ${JSON.stringify(path)}${nearest(root, keys)}`,
    );
  const value = node ? printValue(node, keys) : 'not set';
  const origins: string[] = [];
  for (let layer = node; layer; layer = layer.kind === 'object' ? undefined : layer.below) {
    const marker = origins.length === 0 ? 'from' : 'over';
    origins.push(
      `  ${marker}  ${formatOrigin(layer.origin, evaluated.problems)}${origins.length === 0 ? '' : `: ${printValue(layer, keys)}`}`,
    );
  }
  const variables = variableNames(root, keys);
  const fallback = schema && defaultOf(schema);
  return [
    `${formatPath(keys)} = ${value}`,
    ...origins,
    ...(schema ? descriptionLines(schema) : []),
    ...(fallback === undefined ? [] : [`  default: ${JSON.stringify(fallback)}`]),
    ...(variables.length > 0 ? [`  variable: ${variables.join(', ')}`] : []),
    `  on reload: ${reloadClassOf(keys)}`,
  ].join('\n');
}

function parseKeys(path: string): (string | number)[] {
  const keys: (string | number)[] = [];
  for (const [, quoted, index, word] of path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)) {
    if (index !== undefined) keys.push(Number(index));
    else keys.push(quoted === undefined ? (word ?? '') : (JSON.parse(`"${quoted}"`) as string));
  }
  return keys;
}

/** Streams by name become streams by index. */
function resolveKeys(root: ConfigNode, keys: readonly (string | number)[]): (string | number)[] {
  const [first, name, ...rest] = keys;
  if (first !== 'streams' || typeof name !== 'string') return [...keys];
  const streams = nodeAt(root, ['streams']);
  const index =
    streams?.kind === 'array' ? streams.items.findIndex((item) => textAt(item, ['name']) === name) : -1;
  return index === -1 ? [...keys] : [first, index, ...rest];
}

function nearest(root: ConfigNode, keys: Path): string {
  const parent = nodeAt(root, keys.slice(0, -1));
  const known = parent?.kind === 'object' ? [...parent.members.keys()] : [];
  const similar = closest(String(keys.at(-1)), known);
  return similar === undefined ? '' : `; did you mean ${similar}?`;
}

function printValue(node: ConfigNode, path: Path): string {
  if (node.kind === 'scalar') return printScalar(node, path);
  const count = node.kind === 'array' ? node.items.length : node.members.size;
  return node.kind === 'array' ? `a list of ${count}` : `an object of ${count} keys`;
}

/** The schema that describes a key. */
function schemaAt(keys: Path, { optionSchemas, archiveSchema }: EvaluatedConfig): object | undefined {
  const [first, index, ...rest] = keys;
  if (first === 'archive' && index !== undefined) return descend(archiveSchema ?? {}, [index, ...rest]);
  if (first !== 'streams' || typeof index !== 'number') return descend(rootSchema, keys);
  return descend(streamSchema, rest) ?? descend(optionSchemas[index] ?? {}, rest);
}

function descend(schema: object, keys: Path): object | undefined {
  let current: object | undefined = schema;
  for (const key of keys) current = current && entriesOf(current)?.[key];
  return current;
}

function descriptionLines(schema: object): string[] {
  const description = descriptionOf(schema);
  return description === undefined ? [] : [`  ${description}`];
}

function variableNames(root: ConfigNode, keys: Path): string[] {
  const [first, index, ...rest] = keys;
  if (first !== 'streams' || typeof index !== 'number') return variablesFor(keys);
  const name = textAt(root, ['streams', index, 'name']);
  const own = rest.join('.') === 'level' && name !== undefined ? [levelVariable(name)] : [];
  return [...own, ...variablesFor(['streams', textAt(root, ['streams', index, 'type']) ?? '', ...rest])];
}

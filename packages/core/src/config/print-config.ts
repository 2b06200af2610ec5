import { withDefaults } from './defaults.ts';
import type { EvaluatedConfig } from './load.ts';
import { evaluateConfig, type LoadContext } from './load.ts';
import { nodeAt, withoutKey, withValue, type ConfigNode, type Origin, type Path } from './node.ts';
import { ConfigError, sortProblems } from './problem.ts';
import type { ProblemList } from './problem-list.ts';
import { rootSchema, streamSchema } from './schema.ts';
import { isSecretKey, MASK, maskText } from './secret.ts';
import { withCoerced } from './validate.ts';

export interface PrintOptions {
  /** Tells behind each value where it comes from. */
  readonly origin?: boolean;
}

/**
 * Prints the config that holds, all layers and defaults in one, as JSON with comments. Secrets are masked.
 *
 * @throws ConfigError for a config with mistakes.
 */
export function printConfig(
  source?: string | object,
  context: LoadContext = {},
  options: PrintOptions = {},
): string {
  const evaluated = evaluateConfig(source, context);
  const node = effectiveNode(evaluated);
  const describe = options.origin ? (origin: Origin) => formatOrigin(origin, evaluated.problems) : undefined;
  return printNode(node, [], describe, '', true);
}

/** The merged config with all defaults; overlays and tests, which have done their part, left out. */
export function effectiveNode(evaluated: EvaluatedConfig): ConfigNode {
  const { node, problems, optionSchemas, archiveSchema } = evaluated;
  if (!node || problems.hasErrors) throw new ConfigError(sortProblems(problems.all));
  let result = withDefaults(
    rootSchema,
    withCoerced(rootSchema, withoutKey(withoutKey(node, ['environments']), ['tests'])),
  );
  const archive = nodeAt(result, ['archive']);
  if (archive && archiveSchema)
    result = withValue(result, ['archive'], withDefaults(archiveSchema, withCoerced(archiveSchema, archive)));
  const streams = nodeAt(result, ['streams']);
  for (const [index, stream] of (streams?.kind === 'array' ? streams.items : []).entries()) {
    const schema = optionSchemas[index];
    const own = withCoerced(streamSchema, stream);
    const complete = withDefaults(
      streamSchema,
      schema ? withDefaults(schema, withCoerced(schema, own)) : own,
    );
    result = withValue(result, ['streams', index], complete);
  }
  return result;
}

/** `c.json:4`, `LOG_LEVEL`, `default`, … */
export function formatOrigin(origin: Origin, problems: ProblemList): string {
  const overlay = origin.overlay === undefined ? '' : ` (overlay ${origin.overlay})`;
  if (origin.kind === 'variable') return `${origin.variable}`;
  if (origin.kind !== 'file' || origin.file === undefined) return origin.kind + overlay;
  const position = origin.start === undefined ? undefined : problems.position(origin.file, origin.start);
  return `${origin.file}${position ? `:${position.line}` : ''}${overlay}`;
}

type Describe = ((origin: Origin) => string) | undefined;

function printNode(node: ConfigNode, path: Path, describe: Describe, indent: string, last: boolean): string {
  const comma = last ? '' : ',';
  if (node.kind === 'scalar') {
    const comment = describe ? `  // ${describe(node.origin)}` : '';
    return printScalar(node, path) + comma + comment;
  }
  const open = node.kind === 'array' ? '[' : '{';
  const close = node.kind === 'array' ? ']' : '}';
  const children: [string, ConfigNode, Path][] =
    node.kind === 'array'
      ? node.items.map((item, index) => ['', item, [...path, index]])
      : [...node.members].map(([key, member]) => [`${JSON.stringify(key)}: `, member.value, [...path, key]]);
  if (children.length === 0)
    return `${open}${close}${comma}${describe ? `  // ${describe(node.origin)}` : ''}`;
  const inner = `${indent}  `;
  const lines = children.map(
    ([head, child, childPath], index) =>
      inner + head + printNode(child, childPath, describe, inner, index === children.length - 1),
  );
  return `${open}\n${lines.join('\n')}\n${indent}${close}${comma}`;
}

/** A scalar as JSON, masked where it is a secret. */
export function printScalar(node: Extract<ConfigNode, { kind: 'scalar' }>, path: Path): string {
  const secret = node.secret || path.some((key) => isSecretKey(String(key)));
  if (typeof node.value === 'number' && secret) return JSON.stringify(MASK);
  if (typeof node.value !== 'string') return JSON.stringify(node.value) ?? 'null';
  return JSON.stringify(secret ? MASK : maskText(node.value));
}

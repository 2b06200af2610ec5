import type { OptionsSchema } from '@treeline/contract';
import { closest } from '@treeline/query/closest';
import { describeMissing, describeWrong, readAs, shorten, type Issue } from './issue-message.ts';
import {
  firstCharacter,
  formatPath,
  keyOriginAt,
  nodeAt,
  originAt,
  toValue,
  withoutKey,
  withoutKeys,
  withValue,
  type ConfigNode,
  type Path,
} from './node.ts';
import type { ProblemList } from './problem-list.ts';
import { entriesOf, keysOfSchema, schemaAt } from './schema-shape.ts';

export interface ValidateOptions {
  /** Where the node stands in the config. */
  readonly at: Path;
  /** Names the object in messages about unknown keys, as `streams[1] (type "file")`. */
  readonly subject?: string;
  /** Keys that belong to others, for suggestions. */
  readonly otherKeys?: readonly string[];
}

/**
 * Checks a part of the config against a schema, reports all mistakes at their places, and gives back what the schema made
 * of it; undefined where there are errors. A schema that answers with a promise can't be used here.
 */
export function validate<Output>(
  schema: OptionsSchema<Output>,
  node: ConfigNode,
  problems: ProblemList,
  options: ValidateOptions,
): Output | undefined {
  let current = node;
  let faulty = false;
  /** Keys whose absence follows from a mistake that has been told. */
  const told = new Set<string>();
  for (const path of listsForObjects(schema, node)) {
    reportList(node, path, problems, options);
    if (typeof path.at(-1) !== 'string') return undefined;
    faulty = true;
    told.add(formatPath(path));
    current = withoutKey(current, path);
  }
  // A strict schema stops at its first unknown key: each is reported, taken out, and the rest looked at again.
  for (;;) {
    const result = schema['~standard'].validate(toValue(current));
    if (result instanceof Promise) throw new TypeError('a schema of a config must answer at once');
    if (!result.issues) return faulty ? undefined : result.value;
    const issues = result.issues.map((issue) => ({ issue: issue as Issue, path: keysOf(issue as Issue) }));
    const unknown = issues.filter(({ issue }) => isUnknownKey(issue));
    const coerced = coerce(current, issues);
    if (unknown.length === 0 && coerced === current) {
      for (const { issue, path } of issues) {
        if (!told.has(formatPath(path))) report(issue, path, current, problems, options);
      }
      return undefined;
    }
    current = coerced;
    for (const { path } of unknown) {
      const keys = unknownSiblings(schema, current, path);
      for (const key of keys) {
        const keyPath = [...path.slice(0, -1), key];
        const similar = reportUnknownKey(schema, keyPath, node, problems, options);
        if (similar !== undefined) told.add(formatPath([...path.slice(0, -1), similar]));
        faulty ||= !isExtension(key);
      }
      current = withoutKeys(current, path.slice(0, -1), keys);
    }
  }
}

/** All unknown keys of an object, of which a strict schema names the first. */
function unknownSiblings(schema: object, node: ConfigNode, path: Path): string[] {
  const parent = nodeAt(node, path.slice(0, -1));
  const known = new Set(keysOfSchema(schema, path.slice(0, -1)));
  // Another library's schema can't be asked what it knows.
  if (parent?.kind !== 'object' || known.size === 0) return [String(path.at(-1))];
  return [...parent.members.keys()].filter((key) => !known.has(key));
}

function isExtension(key: string): boolean {
  return key.startsWith('x-');
}

function isUnknownKey(issue: Issue): boolean {
  return issue.type === 'strict_object' && issue.expected === 'never';
}

function keysOf(issue: Issue): (string | number)[] {
  return (issue.path ?? []).map((part) => {
    const key = typeof part === 'object' ? part.key : part;
    return typeof key === 'number' ? key : String(key);
  });
}

/** Texts from `${…}` become the number or boolean that is wanted in their place. */
function coerce(node: ConfigNode, issues: readonly { issue: Issue; path: Path }[]): ConfigNode {
  let result = node;
  for (const { issue, path } of issues) {
    const found = nodeAt(node, path);
    if (found?.kind !== 'scalar' || !found.interpolated || typeof found.value !== 'string') continue;
    const value = readAs(found.value, issue.expected ?? '');
    if (value !== undefined) result = withValue(result, path, { ...found, value });
  }
  return result;
}

/** What stands in a config after texts from `${…}` became what the schema wants in their place. */
export function withCoerced(schema: OptionsSchema<unknown>, node: ConfigNode): ConfigNode {
  const result = schema['~standard'].validate(toValue(node));
  if (result instanceof Promise || !result.issues) return node;
  return coerce(
    node,
    result.issues.map((issue) => ({ issue: issue as Issue, path: keysOf(issue as Issue) })),
  );
}

/** Lists where an object is wanted: to valibot a list is an object like any other. */
function listsForObjects(schema: unknown, node: ConfigNode, path: Path = []): Path[] {
  if (schema === undefined || node.kind === 'scalar') return [];
  if (node.kind === 'array' && entriesOf(schema)) return [path];
  const children: [string | number, ConfigNode][] =
    node.kind === 'array'
      ? [...node.items.entries()]
      : [...node.members].map(([key, { value }]) => [key, value]);
  return children.flatMap(([key, child]) => listsForObjects(schemaAt(schema, key), child, [...path, key]));
}

function reportList(node: ConfigNode, path: Path, problems: ProblemList, { at }: ValidateOptions): void {
  const fullPath = [...at, ...path];
  const message = `${formatPath(fullPath) || 'the config'} must be an object; got a list`;
  problems.add(firstCharacter(originAt(node, path)), fullPath, { code: 'CFG102', message });
}

/** The keys that may stand where an unknown one does. */
function knownKeys(schema: object, path: Path, { otherKeys = [] }: ValidateOptions): string[] {
  return [...keysOfSchema(schema, path.slice(0, -1)), ...(path.length === 1 ? otherKeys : [])];
}

/** Gives back the key that was probably meant. */
function reportUnknownKey(
  schema: object,
  path: Path,
  node: ConfigNode,
  problems: ProblemList,
  options: ValidateOptions,
): string | undefined {
  const key = String(path.at(-1));
  if (isExtension(key)) return undefined;
  const fullPath = [...options.at, ...path];
  const origin = keyOriginAt(node, path);
  const parent = path.slice(0, -1);
  const inner = formatPath([...options.at, ...parent]);
  const subject = parent.length === 0 ? (options.subject ?? inner) : inner;
  const known = problems.isFull ? [] : knownKeys(schema, path, options);
  const similar = closest(key, known);
  problems.add(origin, fullPath, {
    code: 'CFG101',
    message: `unknown key ${JSON.stringify(shorten(key))}${subject === '' ? '' : ` in ${subject}`}`,
    suggestion: similar
      ? `did you mean "${similar}"?`
      : known.length > 0
        ? `known: ${known.toSorted().join(', ')}`
        : undefined,
  });
  return similar;
}

function report(
  issue: Issue,
  path: Path,
  node: ConfigNode,
  problems: ProblemList,
  options: ValidateOptions,
): void {
  const fullPath = [...options.at, ...path];
  const found = nodeAt(node, path);
  if (found) {
    problems.add(found.origin, fullPath, describeWrong(issue, fullPath, found));
  } else {
    const subject = path.length === 1 ? options.subject : undefined;
    problems.add(firstCharacter(originAt(node, path)), fullPath, describeMissing(fullPath, subject));
  }
}

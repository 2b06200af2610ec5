import { formatLevel, LEVEL_NAMES, type OptionsSchema } from '@treeline/contract';
import {
  firstCharacter,
  formatPath,
  keyOriginAt,
  nodeAt,
  originAt,
  toValue,
  withoutKey,
  withValue,
  type ConfigNode,
  type Path,
} from './node.ts';
import { notBuilt } from './pending.ts';
import type { Finding, ProblemList } from './problem-list.ts';
import { isSecretKey, MASK, maskText } from './secret.ts';
import { closest } from '@treeline/query/closest';

export interface ValidateOptions {
  /** Where the node stands in the config. */
  readonly at: Path;
  /** Names the object in messages about unknown keys, as `streams[1] (type "file")`. */
  readonly subject?: string;
  /** Keys that belong to others, for suggestions. */
  readonly otherKeys?: readonly string[];
  /** Keys that are known though the schema has none of them: a warning instead of an error. */
  readonly knownKeys?: readonly string[];
}

/** The parts of an issue that are used; valibot's have more than Standard Schema asks for. */
interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
  readonly type?: string;
  readonly expected?: string | null;
  readonly received?: string;
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
      const parent = path.slice(0, -1);
      const known = knownKeys(schema, path, options);
      const similar = closest(String(path.at(-1)), known);
      if (similar !== undefined) told.add(formatPath([...parent, similar]));
      faulty = reportUnknownKey(path, node, { known, similar }, problems, options) || faulty;
      current = withoutKey(current, path);
    }
  }
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

function readAs(text: string, expected: string): number | boolean | undefined {
  if (/\bboolean\b/.test(expected) && /^(?:true|false)$/.test(text)) return text === 'true';
  const isNumber = text.trim() !== '' && Number.isFinite(Number(text));
  return /\bnumber\b|^\d+$/.test(expected) && isNumber ? Number(text) : undefined;
}

/** Lists where an object is wanted: to valibot a list is an object like any other. */
function listsForObjects(schema: unknown, node: ConfigNode, path: Path = []): Path[] {
  const inner = unwrap(schema);
  if (!isRecord(inner)) return [];
  if (node.kind === 'array') {
    if (isRecord(inner['entries'])) return [path];
    return node.items.flatMap((item, index) => listsForObjects(inner['item'], item, [...path, index]));
  }
  if (node.kind !== 'object') return [];
  return [...node.members].flatMap(([key, { value }]) =>
    listsForObjects(step(inner, key), value, [...path, key]),
  );
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

/** Whether it was an error. */
function reportUnknownKey(
  path: Path,
  node: ConfigNode,
  { known, similar }: { known: readonly string[]; similar: string | undefined },
  problems: ProblemList,
  options: ValidateOptions,
): boolean {
  const key = String(path.at(-1));
  if (key.startsWith('x-')) return false;
  const fullPath = [...options.at, ...path];
  const origin = keyOriginAt(node, path);
  if (path.length === 1 && options.knownKeys?.includes(key)) {
    problems.add(origin, fullPath, {
      code: 'CFG701',
      severity: 'warning',
      message: notBuilt(formatPath(fullPath)),
    });
    return false;
  }
  const parent = path.slice(0, -1);
  const inner = formatPath([...options.at, ...parent]);
  const subject = parent.length === 0 ? (options.subject ?? inner) : inner;
  problems.add(origin, fullPath, {
    code: 'CFG101',
    message: `unknown key ${JSON.stringify(key)}${subject === '' ? '' : ` in ${subject}`}`,
    suggestion: similar
      ? `did you mean "${similar}"?`
      : known.length > 0
        ? `known: ${known.toSorted().join(', ')}`
        : undefined,
  });
  return true;
}

/** The keys that a valibot schema knows at a path; none where it is another kind of schema. */
export function keysOfSchema(schema: object, path: Path = []): string[] {
  let current: unknown = schema;
  for (const key of path) current = step(unwrap(current), key);
  const inner = unwrap(current);
  return isRecord(inner) && isRecord(inner['entries']) ? Object.keys(inner['entries']) : [];
}

function step(schema: unknown, key: string | number): unknown {
  if (!isRecord(schema)) return undefined;
  if (isRecord(schema['entries'])) return schema['entries'][key];
  return schema['item'] ?? schema['value'];
}

function unwrap(schema: unknown): unknown {
  let current = schema;
  while (isRecord(current) && isRecord(current['wrapped'])) current = current['wrapped'];
  return current;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
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
  if (found) problems.add(found.origin, fullPath, describeWrong(issue, fullPath, found));
  else problems.add(firstCharacter(originAt(node, path)), fullPath, describeMissing(fullPath, options, path));
}

function describeMissing(fullPath: Path, options: ValidateOptions, path: Path): Finding {
  const subject = path.length === 1 && options.subject ? options.subject : formatPath(fullPath.slice(0, -1));
  return {
    code: 'CFG104',
    message: `${JSON.stringify(fullPath.at(-1))} is missing in ${subject || 'the config'}`,
  };
}

function describeWrong(issue: Issue, fullPath: Path, node: ConfigNode): Finding {
  const path = formatPath(fullPath) || 'the config';
  const got = showNode(node, fullPath);
  const value = node.kind === 'scalar' ? node.value : undefined;
  const choices = choicesOf(issue);
  if (choices && LEVEL_NAMES.every((name) => choices.includes(name)))
    return describeLevel(value, got, choices);
  if (choices) {
    const similar = typeof value === 'string' ? closest(value, choices) : undefined;
    return {
      code: 'CFG102',
      message: `${path} must be one of ${choices.join(', ')}; got ${got}`,
      suggestion: similar ? `did you mean "${similar}"?` : undefined,
    };
  }
  // Schemas say "<unit> must be <rule>; got <value>" or a part of it; the path and the masked value are ours.
  const rule = /^(?:\w+ )?(must (?:(?!; got ).)*)/s.exec(issue.message)?.[1];
  if (rule !== undefined) return { code: 'CFG102', message: `${path} ${rule}; got ${got}` };
  const wanted = describeExpected(issue.expected ?? undefined);
  if (wanted === undefined) return { code: 'CFG102', message: `${path}: ${maskText(issue.message)}` };
  return {
    code: 'CFG102',
    message: `${path} must be ${wanted}; got ${got}`,
    suggestion: withoutQuotes(value, issue.expected ?? ''),
  };
}

/** Says what is allowed where a level is wanted. */
export function describeLevel(
  value: unknown,
  got: string,
  allowed: readonly string[] = LEVEL_NAMES,
): Finding {
  const word = typeof value === 'number' ? formatLevel(value) : value;
  const similar = typeof word === 'string' ? closest(levelSynonym(word), allowed) : undefined;
  return {
    code: 'CFG103',
    message: `unknown level ${got}`,
    suggestion: `${similar ? `did you mean "${similar}"?  ` : ''}allowed: ${allowed.join(', ')}`,
  };
}

/** Names that other loggers have for our levels. */
function levelSynonym(word: string): string {
  const synonyms: Record<string, string> = {
    off: 'silent',
    none: 'silent',
    verbose: 'debug',
    silly: 'trace',
    notice: 'info',
    warning: 'warn',
    err: 'error',
    critical: 'fatal',
    crit: 'fatal',
  };
  return synonyms[word.toLowerCase()] ?? word;
}

function choicesOf(issue: Issue): string[] | undefined {
  if (issue.type !== 'picklist' && issue.type !== 'enum' && issue.type !== 'literal') return undefined;
  const matches = issue.expected?.match(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?/g);
  return matches?.map((text) => text.replace(/^"|"$/g, ''));
}

function describeExpected(expected: string | undefined): string | undefined {
  const words: Record<string, string> = {
    string: 'a text',
    number: 'a number',
    boolean: 'true or false',
    Object: 'an object',
    Array: 'a list',
    Date: 'a date',
  };
  const parts = expected?.replace(/[()]/g, '').split(' | ');
  const named = parts?.map((part) => words[part] ?? '');
  return named && named.length > 0 && named.every(Boolean) ? named.join(' or ') : undefined;
}

function withoutQuotes(value: unknown, expected: string): string | undefined {
  if (typeof value === 'string' && readAs(value, expected) !== undefined)
    return `write ${value} without quotes`;
  const isText = (typeof value === 'number' || typeof value === 'boolean') && /\bstring\b/.test(expected);
  return isText ? `write "${value}" with quotes` : undefined;
}

/** A value as messages show it: short, and masked where it is a secret. */
export function showNode(node: ConfigNode, path: Path): string {
  if (node.kind === 'array') return 'a list';
  if (node.kind === 'object') return 'an object';
  const secret = node.secret || path.some((key) => isSecretKey(String(key)));
  if (typeof node.value === 'object' && node.value !== null) return 'an object that is no plain data';
  if (typeof node.value === 'function' || typeof node.value === 'symbol') return `a ${typeof node.value}`;
  if (typeof node.value !== 'string') return String(node.value);
  if (secret) return JSON.stringify(MASK);
  const text = maskText(node.value);
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}

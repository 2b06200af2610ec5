import { formatLevel, LEVEL_NAMES } from '@treeline/contract';
import { closest } from '@treeline/query/closest';
import { formatPath, type ConfigNode, type Path } from './node.ts';
import type { Finding } from './problem-list.ts';
import { isSecretKey, MASK, maskText } from './secret.ts';

/** The parts of an issue that are used; valibot's have more than Standard Schema asks for. */
export interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
  readonly type?: string;
  readonly expected?: string | null;
  readonly received?: string;
}

/** Says that a key is missing; `subject` names the object that needs it. */
export function describeMissing(fullPath: Path, subject: string | undefined): Finding {
  const owner = subject ?? formatPath(fullPath.slice(0, -1));
  return {
    code: 'CFG104',
    message: `${JSON.stringify(fullPath.at(-1))} is missing in ${owner || 'the config'}`,
  };
}

/** Says what a value must be. */
export function describeWrong(issue: Issue, fullPath: Path, node: ConfigNode): Finding {
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
function showNode(node: ConfigNode, path: Path): string {
  if (node.kind === 'array') return 'a list';
  if (node.kind === 'object') return 'an object';
  const secret = node.secret || path.some((key) => isSecretKey(String(key)));
  if (typeof node.value === 'object' && node.value !== null) return 'an object that is no plain data';
  if (typeof node.value === 'function' || typeof node.value === 'symbol') return `a ${typeof node.value}`;
  if (typeof node.value === 'number' && secret) return JSON.stringify(MASK);
  if (typeof node.value !== 'string') return String(node.value);
  if (secret) return JSON.stringify(MASK);
  const text = maskText(node.value);
  return JSON.stringify(shorten(text));
}

/** Long texts are cut, visibly. */
export function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** A text as the number or boolean that is expected; undefined where it is none. */
export function readAs(text: string, expected: string): number | boolean | undefined {
  if (/\bboolean\b/.test(expected) && /^(?:true|false)$/.test(text)) return text === 'true';
  const isNumber = text.trim() !== '' && Number.isFinite(Number(text));
  return /\bnumber\b|^\d+$/.test(expected) && isNumber ? Number(text) : undefined;
}

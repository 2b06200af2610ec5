import { LEVEL_NAMES, parseLevel } from '@treeline/contract';
import { closest } from './closest.ts';

/** One rule of a text such as `info,db=debug,http[request{method=POST}]=trace,[noisy]=off`. */
export interface LevelDirective {
  /** The segments of a logger's name; whole segments match, and all that lies below them. Empty for every logger. */
  readonly target: readonly string[];
  /** Holds only inside spans of this name; empty inside any span. Absent for a rule without brackets. */
  readonly span?: string;
  /** Fields that the span must have. */
  readonly fields: readonly { readonly name: string; readonly value?: string | number | boolean }[];
  /** The least level that passes; `Infinity` for none. */
  readonly level: number;
}

/** A mistake in a directive text. */
export interface DirectiveError {
  readonly message: string;
  /** Offset of the first character at fault, from 0. */
  readonly start: number;
  readonly end: number;
  readonly suggestion?: string;
}

export interface ParsedDirectives {
  readonly directives: readonly LevelDirective[];
  readonly errors: readonly DirectiveError[];
}

/** Parses level directives; the good parts are given back beside the errors of the bad ones. */
export function parseDirectives(text: string): ParsedDirectives {
  const directives: LevelDirective[] = [];
  const errors: DirectiveError[] = [];
  for (const part of splitOutside(text, 0, ',')) {
    const result = parseDirective(part);
    if ('message' in result) errors.push(result);
    else directives.push(result);
  }
  return { directives, errors };
}

/** The threshold for a logger's name by the rules without spans; the most specific decides, the last of equals. */
export function levelForName(
  directives: readonly LevelDirective[],
  name: string | undefined,
): number | undefined {
  const segments = nameSegments(name ?? '');
  let best: LevelDirective | undefined;
  for (const directive of directives) {
    if (directive.span !== undefined || !startsWith(segments, directive.target)) continue;
    if (!best || directive.target.length >= best.target.length) best = directive;
  }
  return best?.level;
}

/** Prints directives so that they parse to the same rules again. */
export function formatDirectives(directives: readonly LevelDirective[]): string {
  return directives.map(formatDirective).join(',');
}

/** A logger's name in segments; `.`, `:` and `/` separate alike. */
export function nameSegments(name: string): string[] {
  return name.split(/[.:/]/).filter((segment) => segment !== '');
}

function startsWith(segments: readonly string[], target: readonly string[]): boolean {
  return target.every((segment, index) => segments[index] === segment);
}

interface Part {
  readonly text: string;
  readonly start: number;
}

/** Splits at a character that stands outside of brackets and quotes. */
function splitOutside(text: string, offset: number, separator: string): Part[] {
  const parts: Part[] = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  for (let index = 0; index <= text.length; index++) {
    const char = text[index];
    if (quoted && char === '\\') index++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && (char === '[' || char === '{')) depth++;
    else if (!quoted && (char === ']' || char === '}')) depth--;
    if (char === undefined || (char === separator && depth <= 0 && !quoted)) {
      parts.push({ text: text.slice(start, index), start: offset + start });
      start = index + 1;
    }
  }
  return parts;
}

const DIRECTIVE =
  /^(?<target>[^[\]{}=,"\s]*)(?<brackets>\[(?<span>[^{}[\]]*)(?:\{(?<fields>.*)\})?\])?(?:\s*=\s*(?<level>.*))?$/s;

function parseDirective(part: Part): LevelDirective | DirectiveError {
  const lead = part.text.length - part.text.trimStart().length;
  const text = part.text.trim();
  const start = part.start + lead;
  const fail = (message: string, suggestion?: string, at = 0, length = text.length - at): DirectiveError => ({
    message,
    start: start + at,
    end: start + Math.max(at + length, at + 1),
    ...(suggestion === undefined ? {} : { suggestion }),
  });
  if (text === '') return fail('a directive is empty', 'remove the comma');
  const groups = DIRECTIVE.exec(text)?.groups;
  if (!groups)
    return fail(`${JSON.stringify(text)} is no directive`, 'write <name>=<level> or <name>[<span>]=<level>');
  const target = groups['target'] ?? '';
  const word = groups['level'];
  const hasSpan = groups['brackets'] !== undefined;
  if (!hasSpan && word === undefined) return wholeLevel(target, fail);
  if (!hasSpan && target === '') return fail('a name is missing before "="');
  const segments = targetSegments(target);
  if (!segments) return fail(`"*" may only be the last part of a name; got ${JSON.stringify(target)}`);
  const level = word === undefined ? parseLevel('trace') : readLevelWord(word);
  if (level === undefined) return fail(...levelFault(word ?? ''), text.length - (word ?? '').length);
  const fields = parseFields(groups['fields']);
  if (typeof fields === 'string') return fail(fields);
  return { target: segments, ...(hasSpan ? { span: (groups['span'] ?? '').trim() } : {}), fields, level };
}

function wholeLevel(
  word: string,
  fail: (message: string, suggestion?: string) => DirectiveError,
): LevelDirective | DirectiveError {
  const level = readLevelWord(word);
  return level === undefined ? fail(...levelFault(word)) : { target: [], fields: [], level };
}

function levelFault(word: string): [message: string, suggestion: string] {
  const allowed = [...LEVEL_NAMES, 'off'];
  const similar = closest(word, allowed);
  return [
    `unknown level ${JSON.stringify(word)}`,
    `${similar ? `did you mean "${similar}"?  ` : ''}allowed: ${allowed.join(', ')}; for a logger write <name>=<level>`,
  ];
}

function readLevelWord(word: string): number | undefined {
  if (word === 'off') return Infinity;
  return (LEVEL_NAMES as readonly string[]).includes(word) ? parseLevel(word) : undefined;
}

function targetSegments(target: string): string[] | undefined {
  const segments = nameSegments(target);
  if (segments.at(-1) === '*') segments.pop();
  return segments.some((segment) => segment.includes('*')) ? undefined : segments;
}

/** The fields of a span rule, or what is wrong with them. */
function parseFields(text: string | undefined): LevelDirective['fields'] | string {
  if (text === undefined) return [];
  const fields: { name: string; value?: string | number | boolean }[] = [];
  for (const part of splitOutside(text, 0, ',')) {
    const match = /^\s*([^\s="]+)\s*(?:=\s*(.*?)\s*)?$/s.exec(part.text);
    const [, name, value] = match ?? [];
    if (name === undefined)
      return `${JSON.stringify(part.text.trim())} is no field of a span; write <name> or <name>=<value>`;
    if (value === undefined) fields.push({ name });
    else {
      const parsed = parseValue(value);
      if (parsed === undefined) return `the value ${value} of the field ${name} is broken`;
      fields.push({ name, value: parsed });
    }
  }
  return fields;
}

function parseValue(text: string): string | number | boolean | undefined {
  if (text === 'true' || text === 'false') return text === 'true';
  if (text.startsWith('"')) {
    try {
      const value: unknown = JSON.parse(text);
      return typeof value === 'string' ? value : undefined;
    } catch {
      return undefined;
    }
  }
  if (text === '') return undefined;
  return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
}

function formatDirective(directive: LevelDirective): string {
  const level = directive.level === Infinity ? 'off' : levelName(directive.level);
  if (directive.span === undefined && directive.target.length === 0) return level;
  const fields = directive.fields.map(({ name, value }) =>
    value === undefined ? name : `${name}=${formatValue(value)}`,
  );
  const inner = fields.length > 0 ? `{${fields.join(',')}}` : '';
  const span = directive.span === undefined ? '' : `[${directive.span}${inner}]`;
  return `${directive.target.join('.')}${span}=${level}`;
}

function formatValue(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  return /^[A-Za-z_][\w./:-]*$/.test(value) && value !== 'true' && value !== 'false'
    ? value
    : JSON.stringify(value);
}

function levelName(level: number): string {
  return LEVEL_NAMES.find((name) => parseLevel(name) === level) ?? String(level);
}

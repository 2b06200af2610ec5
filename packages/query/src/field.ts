import type { ColumnName, EachElement, Field, Segment } from './ast.ts';

/** The names that stand for a column where they are the whole field and not quoted. */
const COLUMNS: Readonly<Record<string, ColumnName>> = {
  level: 'level',
  time: 'time',
  ts: 'time',
  msg: 'msg',
  source: 'source',
  type: 'type',
  ref: 'ref',
  ref_id: 'ref',
  refId: 'ref',
  trace: 'trace',
  trace_id: 'trace',
  span: 'span',
  span_id: 'span',
  id: 'id',
};

/** Words that mean something other than a key of the record where they begin a term. */
const RESERVED = new Set([
  'any',
  'since',
  'until',
  'exists',
  'and',
  'or',
  'not',
  'in',
  'by',
  'as',
  'desc',
  'asc',
]);

export const EACH: EachElement = { each: true };

export function columnOf(name: string): ColumnName | undefined {
  return Object.hasOwn(COLUMNS, name) ? COLUMNS[name] : undefined;
}

/** Columns whose values are texts, so that `ref=42` compares with a text. */
export function isTextColumn(field: Field): boolean {
  return field.kind === 'column' && !['level', 'time', 'id'].includes(field.name);
}

/** Prints a field so that it parses to the same one. */
export function formatField(field: Field): string {
  if (field.kind === 'column') return field.name;
  const [first] = field.segments;
  const text = field.segments.reduce<string>(
    (before, segment) => before + formatSegment(segment, before === ''),
    '',
  );
  const clashes =
    typeof first === 'string' &&
    BARE_SEGMENT.test(first) &&
    ((field.segments.length === 1 && columnOf(first) !== undefined) || RESERVED.has(first.toLowerCase()));
  return clashes ? `.${text}` : text;
}

/** Keys that need no quotes. */
const BARE_SEGMENT = /^[\p{L}_$][\p{L}\p{N}_$-]*$/u;

function formatSegment(segment: Segment, first: boolean): string {
  const dot = first ? '' : '.';
  if (typeof segment === 'number') return `${dot}[${segment}]`;
  if (typeof segment === 'object') return `${dot}[]`;
  return dot + (BARE_SEGMENT.test(segment) ? segment : quote(segment));
}

/** Writes a text in quotes, with the escapes that a query knows. */
export function quote(text: string): string {
  const escaped = text.replace(/["\\\p{Cc}]/gu, (char) => ESCAPES[char] ?? unicodeEscape(char));
  return `"${escaped}"`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

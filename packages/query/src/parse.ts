import { LEVEL_NAMES, parseLevel } from '@treeline/contract';
import {
  joinFilters,
  type CompareOp,
  type Field,
  type Filter,
  type Query,
  type Segment,
  type TimeValue,
  type Value,
} from './ast.ts';
import { closest } from './closest.ts';
import { columnOf, EACH, formatField, isTextColumn } from './field.ts';
import { compileRegex } from './regex.ts';
import { Scanner } from './scanner.ts';
import { parseStages } from './parse-stages.ts';
import { resolveTime } from './time.ts';

const MAX_LENGTH = 64 * 1024;
const MAX_DEPTH = 100;

/**
 * Parses a query: a condition, then stages behind bars. An empty condition means every record.
 *
 * @throws QueryError at the first mistake.
 */
export function parseQuery(text: string): Query {
  const parser = new Parser(text, 'query');
  const filter = parser.parse();
  const stages = parseStages(parser.scanner, parser);
  return filter ? { filter, stages } : { stages };
}

/**
 * Parses the condition of a config's stream, which decides on single records as they pass: it knows no stages, no `id`, no
 * `since` and `until`, and no `in @file`.
 *
 * @throws QueryError at the first mistake.
 */
export function parseFilter(text: string): Filter {
  const parser = new Parser(text, 'filter');
  const filter = parser.parse();
  const { scanner } = parser;
  if (!scanner.done)
    scanner.fail('a filter has no stages', scanner.at, text.length, 'remove the "|" and what follows');
  return filter ?? scanner.fail('the filter is empty', 0, text.length);
}

type Mode = 'query' | 'filter';

type Operator = CompareOp | '~' | '!~' | '=~' | '!=~' | ':';

const OPERATOR = /!=~|=~|!=|!~|>=|<=|=|>|<|~|:/y;

/** Characters of a bare key; a minus may stand inside. */
const KEY = /[\p{L}\p{N}_$@/#%+-]+/uy;

const NUMBER = /^-?(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?$/i;

/** Reads conditions by recursive descent; one for each text. */
export class Parser {
  readonly scanner: Scanner;
  readonly #mode: Mode;
  #depth = 0;

  constructor(text: string, mode: Mode) {
    this.scanner = new Scanner(text);
    this.#mode = mode;
    if (text.length > MAX_LENGTH)
      this.scanner.fail(
        `the query has ${text.length} characters; at most ${MAX_LENGTH} are read`,
        MAX_LENGTH,
      );
  }

  /** The condition; undefined where there is none. Stops at the end or at a bar. */
  parse(): Filter | undefined {
    const { scanner } = this;
    scanner.skipSpace();
    if (scanner.done || this.#atBar()) return undefined;
    const filter = this.#or();
    if (!scanner.done && !this.#atBar())
      scanner.fail(`unexpected ${JSON.stringify(scanner.peek())}`, scanner.at, scanner.at + 1);
    return filter;
  }

  #atBar(): boolean {
    return this.scanner.peek() === '|' && this.scanner.peek(2) !== '||';
  }

  #or(): Filter {
    const items: [Filter, ...Filter[]] = [this.#and()];
    while (this.#takeWord('or') || this.scanner.take('||')) items.push(this.#and());
    return joinFilters('or', items);
  }

  #and(): Filter {
    const items: [Filter, ...Filter[]] = [this.#not()];
    for (;;) {
      this.scanner.skipSpace();
      const joined = this.#takeWord('and') || this.scanner.take('&&');
      if (!joined && !this.#atTerm()) return joinFilters('and', items);
      items.push(this.#not());
    }
  }

  #atTerm(): boolean {
    const { scanner } = this;
    return !scanner.done && !/[)|]/.test(scanner.peek()) && !this.#peekWord('or');
  }

  #not(): Filter {
    const { scanner } = this;
    scanner.skipSpace();
    const start = scanner.at;
    if (++this.#depth > MAX_DEPTH) scanner.fail(`the query is nested deeper than ${MAX_DEPTH} levels`, start);
    const negated = this.#takeWord('not') || scanner.take('-') || scanner.take('!');
    if (negated && /^[-!]/.test(scanner.text.slice(start)) && /^(?:\s|$)/.test(scanner.peek())) {
      scanner.fail(`nothing follows the ${JSON.stringify(scanner.text[start])}`, start);
    }
    const filter: Filter = negated ? { kind: 'not', item: this.#not() } : this.#primary();
    this.#depth--;
    return filter;
  }

  #primary(): Filter {
    const { scanner } = this;
    const start = scanner.at;
    if (scanner.done) scanner.fail('the query ends where a condition is expected', start);
    if (!scanner.take('(')) return this.#term();
    const filter = this.#or();
    scanner.skipSpace();
    if (!scanner.take(')')) scanner.fail('the bracket is never closed', start);
    return filter;
  }

  #term(): Filter {
    const { scanner } = this;
    const start = scanner.at;
    for (const word of ['and', 'or', 'in']) {
      if (this.#peekWord(word)) {
        scanner.fail(
          `a condition is missing before ${JSON.stringify(word)}`,
          start,
          start + word.length,
          `quote the word to search it: "${word}"`,
        );
      }
    }
    if (scanner.match(/exists\(/iy) !== undefined) return this.#exists(start);
    if (/^exists\s+\(/i.test(scanner.text.slice(start, start + 32))) {
      scanner.fail(
        'a space stands between exists and its bracket',
        start,
        start + 6,
        'write exists(<field>), or quote the word to search it',
      );
    }
    const special = scanner.match(/(?:any|since|until)(?=\s*[:=])/iy);
    if (special !== undefined) return this.#special(special.toLowerCase(), start);
    const field = this.#tryField();
    if (field) {
      const orAbsent = scanner.take('?');
      scanner.skipSpace();
      const at = scanner.at;
      const operator = scanner.match(OPERATOR);
      if (operator !== undefined && /^\d/.test(scanner.text.slice(start))) {
        scanner.fail(
          'a field begins with a digit',
          start,
          at,
          'quote the text to search it, or the key if it is one',
        );
      }
      if (operator !== undefined) return this.#comparison(field, orAbsent, operator as Operator, at, start);
      if (this.#takeWord('in')) return this.#membership(field, orAbsent, start);
      if (orAbsent)
        scanner.fail(
          '"?" stands behind a field and before an operator',
          at - 1,
          at,
          'quote the text to search it',
        );
    }
    scanner.moveTo(start);
    return this.#text(start);
  }

  #exists(start: number): Filter {
    const { scanner } = this;
    scanner.skipSpace();
    const field = this.field();
    scanner.skipSpace();
    if (!scanner.take(')')) scanner.fail('the bracket of exists is never closed', start, scanner.at);
    return { kind: 'exists', field };
  }

  #special(word: string, start: number): Filter {
    const { scanner } = this;
    scanner.skipSpace();
    scanner.match(/[:=]/y);
    scanner.skipSpace();
    const at = scanner.at;
    if (word === 'any') {
      const text = this.#string();
      if (text === '') scanner.fail('the text to search is empty', at);
      return { kind: 'text', scope: 'any', text };
    }
    this.#refuseInFilter(`"${word}"`, start, start + word.length);
    const time = this.#time(at);
    return { kind: word === 'since' ? 'since' : 'until', time };
  }

  #text(start: number): Filter {
    const { scanner } = this;
    const isQuoted = scanner.peek() === '"';
    const text = isQuoted ? scanner.quoted() : scanner.word();
    if (isQuoted && text === '') scanner.fail('the text to search is empty', start, scanner.at);
    if (text === '') {
      scanner.fail(
        `unexpected ${JSON.stringify(scanner.peek())}`,
        start,
        start + 1,
        'quote the text to search it',
      );
    }
    const odd = isQuoted ? -1 : text.search(/[=<>~!:?*"']/);
    if (odd !== -1) {
      scanner.fail(
        `unexpected ${JSON.stringify(text[odd])}`,
        start + odd,
        start + odd + 1,
        `quote the text to search it: ${JSON.stringify(text)}`,
      );
    }
    this.#expectBoundary(start);
    return { kind: 'text', scope: 'msg', text };
  }

  /** A word that ends at a bracket or a quote would be read as two conditions, which nobody meant. */
  #expectBoundary(start: number): void {
    const { scanner } = this;
    if (scanner.done || /[\s)|&]/.test(scanner.peek())) return;
    const char = scanner.peek();
    const suggestion =
      char === ','
        ? 'a list stands behind ":", as in level:error,fatal; or quote the text'
        : 'quote the text';
    scanner.fail(
      `unexpected ${JSON.stringify(char)} after ${scanner.text.slice(start, scanner.at)}`,
      scanner.at,
      scanner.at + 1,
      suggestion,
    );
  }

  /** Reads a field, in places where nothing else can stand. */
  field(): Field {
    const start = this.scanner.at;
    return this.#tryField() ?? this.scanner.fail('a field is expected', start, start + 1);
  }

  #tryField(): Field | undefined {
    const { scanner } = this;
    const start = scanner.at;
    const forced = scanner.take('.');
    const segments: Segment[] = [];
    let quoted = false;
    do {
      const segment = this.#segment();
      if (segment === undefined) {
        scanner.moveTo(start);
        return undefined;
      }
      quoted ||= scanner.text[scanner.at - 1] === '"';
      segments.push(segment);
    } while (scanner.peek() === '[' || scanner.take('.'));
    const [first] = segments;
    const column =
      !forced && !quoted && segments.length === 1 && typeof first === 'string' ? columnOf(first) : undefined;
    if (column === undefined) return { kind: 'path', segments };
    if (column === 'id') this.#refuseInFilter('"id"', start, scanner.at);
    return { kind: 'column', name: column };
  }

  #segment(): Segment | undefined {
    const { scanner } = this;
    if (scanner.peek() === '"') return scanner.quoted();
    const index = scanner.match(/\[\d{0,9}\]/y);
    if (index !== undefined) return index === '[]' ? EACH : Number(index.slice(1, -1));
    return scanner.match(KEY);
  }

  #comparison(field: Field, orAbsent: boolean, operator: Operator, at: number, start: number): Filter {
    const { scanner } = this;
    scanner.skipSpace();
    if (scanner.done || /[)|]/.test(scanner.peek())) {
      scanner.fail(`a value is missing after ${JSON.stringify(operator)}`, at, at + operator.length);
    }
    const base = { field, orAbsent };
    if (operator === ':') return this.#matcher(base, start);
    if (operator === '~' || operator === '!~') {
      this.#requireText(field, operator, at);
      return this.#contains(base, operator === '!~');
    }
    if (operator === '=~' || operator === '!=~') {
      this.#requireText(field, operator, at);
      const found =
        this.#regexLiteral(true) ??
        scanner.fail(
          'a regular expression is expected',
          scanner.at,
          scanner.at + 1,
          `write it between slashes: ${operator}/…/`,
        );
      return { kind: 'regex', ...base, ...found, negated: operator === '!=~' };
    }
    const value = this.#value(field);
    if (value.kind === 'boolean' && operator !== '=' && operator !== '!=') {
      scanner.fail(
        `true and false have no order; got ${JSON.stringify(operator)}`,
        at,
        at + operator.length,
        'use = or !=',
      );
    }
    this.#expectBoundary(start);
    return { kind: 'compare', ...base, op: operator, value };
  }

  #requireText(field: Field, operator: string, at: number): void {
    if (field.kind === 'path' || isTextColumn(field)) return;
    this.scanner.fail(
      `${formatField(field)} is no text, so ${JSON.stringify(operator)} can't search it`,
      at,
      at + operator.length,
      'use =, !=, <, <=, > or >=',
    );
  }

  #contains(base: { field: Field; orAbsent: boolean }, negated: boolean): Filter {
    const start = this.scanner.at;
    const regex = this.#closedRegex();
    // `~` ignores case, whatever stands behind it.
    if (regex !== undefined) return { kind: 'regex', ...base, pattern: regex, flags: 'i', negated };
    const text = this.#string();
    if (text === '') this.scanner.fail('the text to search is empty', start);
    return { kind: 'contains', ...base, text, negated };
  }

  /** `field:` takes a list, a range, a glob, `*` for "is there", or a regular expression. */
  #matcher(base: { field: Field; orAbsent: boolean }, start: number): Filter {
    const { scanner } = this;
    const { field } = base;
    const at = scanner.at;
    if (scanner.peek(2) === '//')
      scanner.fail('this looks like an URL', start, at + 2, 'quote the text to search it');
    if (scanner.match(/\*(?=[\s)|]|$)/y) !== undefined) {
      if (base.orAbsent) scanner.fail('"?" and "*" together hold for every record', at);
      return { kind: 'exists', field };
    }
    if (field.kind === 'path' || isTextColumn(field)) {
      const pattern = this.#closedRegex();
      if (pattern !== undefined) return { kind: 'regex', ...base, pattern, flags: '', negated: false };
    }
    const items = [this.#matcherItem(base)];
    while (scanner.take(',')) {
      scanner.skipSpace();
      items.push(this.#matcherItem(base));
    }
    this.#expectBoundary(start);
    return joinMatchers(base, items);
  }

  #matcherItem(base: { field: Field; orAbsent: boolean }): Value | Filter {
    const { scanner } = this;
    const { field } = base;
    const start = scanner.at;
    const isQuoted = scanner.peek() === '"';
    if (!isQuoted) {
      const word = this.#peekBare();
      if (word.includes('*') && !/^[=<>~!]/.test(word) && (field.kind === 'path' || isTextColumn(field))) {
        scanner.moveTo(start + word.length);
        return { kind: 'glob', ...base, parts: word.split('*') };
      }
    }
    const low = this.#value(field, true);
    if (!scanner.take('..')) return low;
    const high = this.#value(field, false);
    if (low.kind !== high.kind || low.kind === 'boolean') {
      scanner.fail('both ends of a range must be numbers, times or texts alike', start, scanner.at);
    }
    return { kind: 'range', ...base, low, high };
  }

  #peekBare(): string {
    const start = this.scanner.at;
    const word = this.scanner.word();
    this.scanner.moveTo(start);
    return word;
  }

  #membership(field: Field, orAbsent: boolean, start: number): Filter {
    const { scanner } = this;
    scanner.skipSpace();
    const at = scanner.at;
    if (scanner.take('@')) {
      const file = this.#string();
      this.#refuseInFilter('"in @file"', at, scanner.at);
      if (file === '') scanner.fail('the name of a file is missing after "@"', at);
      return { kind: 'in-file', field, orAbsent, file };
    }
    if (!scanner.take('('))
      scanner.fail('"in" takes a list in brackets or @file', at, at + 1, 'quote the word to search it: "in"');
    const values: Value[] = [];
    do {
      scanner.skipSpace();
      values.push(this.#value(field));
      scanner.skipSpace();
    } while (scanner.take(','));
    if (!scanner.take(')')) scanner.fail('the list is never closed', at, scanner.at);
    this.#expectBoundary(start);
    return joinMatchers({ field, orAbsent }, values);
  }

  #value(field: Field, stopAtRange = false): Value {
    const { scanner } = this;
    const start = scanner.at;
    const isQuoted = scanner.peek() === '"';
    const word = isQuoted ? scanner.quoted() : this.#bareValue(stopAtRange);
    const fail = (reason: string, suggestion?: string): never =>
      scanner.fail(reason, start, scanner.at, suggestion);
    if (field.kind === 'column') {
      if (field.name === 'level')
        return { kind: 'number', value: readLevelValue(word) ?? fail(...levelFault(word)) };
      if (field.name === 'time') return this.#checkTime(word, start);
      if (field.name === 'id') {
        return /^\d{1,15}$/.test(word)
          ? { kind: 'number', value: Number(word) }
          : fail(`an id is a whole number; got ${JSON.stringify(word)}`);
      }
      return { kind: 'string', value: word };
    }
    if (isQuoted) return { kind: 'string', value: word };
    if (word === 'true' || word === 'false') return { kind: 'boolean', value: word === 'true' };
    if (word === 'null')
      fail('null counts as absent', `write -exists(${formatField(field)}), or quote it for the text`);
    if (!NUMBER.test(word)) return { kind: 'string', value: word };
    const value = Number(word);
    if (!Number.isFinite(value)) fail(`the number ${word} is too large`);
    return { kind: 'number', value };
  }

  #bareValue(stopAtRange: boolean): string {
    const { scanner } = this;
    const start = scanner.at;
    const word = scanner.word();
    if (word === '')
      scanner.fail('a value is missing', start, start + 1, 'quote it if it begins with a special character');
    if (/^[=<>~!]/.test(word))
      scanner.fail(
        `unexpected ${JSON.stringify(word[0])}`,
        start,
        start + 1,
        'one operator is enough; quote the value if it begins like this',
      );
    const range = word.indexOf('..');
    if (!stopAtRange || range === -1) return word;
    scanner.moveTo(start + range);
    const missing = range === 0 || range + 2 === word.length;
    if (missing && !(range > 0 && scanner.text[start + range + 2] === '"')) {
      scanner.fail('a range needs both ends', start, start + word.length, 'use >= or <= for an open end');
    }
    return word.slice(0, range);
  }

  #string(): string {
    const { scanner } = this;
    const start = scanner.at;
    const text = scanner.peek() === '"' ? scanner.quoted() : this.#bareValue(false);
    this.#expectBoundary(start);
    return text;
  }

  #time(start: number): TimeValue {
    return this.#checkTime(this.#string(), start);
  }

  #checkTime(text: string, start: number): TimeValue {
    if (resolveTime(text, { nowMs: 0 })) return { kind: 'time', text: text.trim() };
    return this.scanner.fail(
      `${JSON.stringify(text)} is no time`,
      start,
      this.scanner.at,
      'write 2026-03-04T22:15, 2026-03, today, yesterday, 90m (ago) or unix milliseconds',
    );
  }

  /** `/…/` without spaces and with nothing behind it; anything else that begins with a slash is a plain text. */
  #closedRegex(): string | undefined {
    const { scanner } = this;
    const start = scanner.at;
    const literal = scanner.match(/\/(?:[^/\\\s]|\\\S)+\/(?=[\s)|]|$)/y);
    if (literal === undefined) return undefined;
    return this.#checkRegex(literal.slice(1, -1), '', start);
  }

  #regexLiteral(required: boolean): { pattern: string; flags: string } | undefined {
    const { scanner } = this;
    const start = scanner.at;
    const literal = scanner.match(/\/(?:[^/\\\n]|\\.)+\//y);
    if (literal === undefined) {
      if (required && scanner.peek() === '/')
        scanner.fail('the regular expression is never closed', start, scanner.text.length, 'end it with /');
      return undefined;
    }
    const flags = scanner.match(/[a-z]+/iy) ?? '';
    if (/[^ims]/.test(flags) || new Set(flags).size < flags.length) {
      scanner.fail(
        `unknown flags ${JSON.stringify(flags)}`,
        scanner.at - flags.length,
        scanner.at,
        'known: i, m, s, each once',
      );
    }
    this.#expectBoundary(start);
    return {
      pattern: this.#checkRegex(literal.slice(1, -1), flags, start),
      flags: flags.split('').toSorted().join(''),
    };
  }

  #checkRegex(raw: string, flags: string, start: number): string {
    const pattern = raw.replace(/\\([^])/g, (whole, char: string) => (char === '/' ? '/' : whole));
    try {
      compileRegex(pattern, flags);
      return pattern;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return this.scanner.fail(
        `broken regular expression: ${reason}`,
        start,
        this.scanner.at,
        'expressions are RE2: no look-around, no back-references',
      );
    }
  }

  #refuseInFilter(what: string, start: number, end: number): void {
    if (this.#mode === 'filter')
      this.scanner.fail(`${what} can't stand in a filter`, start, end, 'it is for queries');
  }

  #peekWord(word: string): boolean {
    const { scanner } = this;
    const text = scanner.peek(word.length);
    const after = scanner.text[scanner.at + word.length];
    return text.toLowerCase() === word && (after === undefined || /[\s()"|]/.test(after));
  }

  #takeWord(word: string): boolean {
    this.scanner.skipSpace();
    if (!this.#peekWord(word)) return false;
    this.scanner.moveTo(this.scanner.at + word.length);
    return true;
  }
}

function joinMatchers(base: { field: Field; orAbsent: boolean }, items: readonly (Value | Filter)[]): Filter {
  const values = items.filter((item) => isValue(item));
  const filters: Filter[] = items.filter((item) => !isValue(item));
  const [first] = values;
  if (first && values.length === 1) filters.unshift({ kind: 'compare', ...base, op: '=', value: first });
  else if (first) filters.unshift({ kind: 'in', ...base, values });
  const [head, ...rest] = filters;
  if (!head) throw new TypeError('items must not be empty');
  return joinFilters('or', [head, ...rest]);
}

function isValue(item: Value | Filter): item is Value {
  return item.kind === 'string' || item.kind === 'number' || item.kind === 'boolean' || item.kind === 'time';
}

function readLevelValue(word: string): number | undefined {
  const name = word.toLowerCase();
  if (name !== 'silent' && LEVEL_NAMES.some((known) => known === name)) return parseLevel(name);
  return /^\d{1,9}$/.test(word) ? Number(word) : undefined;
}

function levelFault(word: string): [reason: string, suggestion: string] {
  const names = LEVEL_NAMES.filter((name) => name !== 'silent');
  const similar = closest(word, names);
  return [
    `unknown level ${JSON.stringify(word)}`,
    `${similar ? `did you mean ${similar}? ` : ''}known: ${names.join(', ')}, or a number`,
  ];
}

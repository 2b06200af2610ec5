import { joinFilters, type Field, type Filter, type Query, type Value } from './ast.ts';
import { parseStages } from './parse-stages.ts';
import { joinMatchers, readCondition, type FieldTest, type Operator } from './read-condition.ts';
import { readField, tryReadField } from './read-field.ts';
import { readText, readTime, readValue } from './read-value.ts';
import { Scanner } from './scanner.ts';

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
  const stages = parseStages(parser.scanner);
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

const OPERATOR = /!=~|=~|!=|!~|>=|<=|=|>|<|~|:/y;

/** Reads conditions by recursive descent; one for each text. */
class Parser {
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
    return this.#fieldTerm(start) ?? this.#text(start);
  }

  /** A condition on a field; undefined, with nothing read, where a text stands here. */
  #fieldTerm(start: number): Filter | undefined {
    const { scanner } = this;
    const field = tryReadField(scanner);
    if (field) {
      const orAbsent = scanner.take('?');
      const afterField = scanner.at;
      scanner.skipSpace();
      const operator = scanner.match(OPERATOR) as Operator | undefined;
      if (operator !== undefined || this.#peekWord('in')) this.#checkField(field, start, afterField);
      if (operator !== undefined) return readCondition(scanner, { field, orAbsent }, operator, start);
      if (this.#takeWord('in')) return this.#membership({ field, orAbsent }, start);
      if (orAbsent) {
        const reason = '"?" stands behind a field and before an operator';
        scanner.fail(reason, afterField - 1, afterField, 'quote the text to search it');
      }
    }
    scanner.moveTo(start);
    return undefined;
  }

  #checkField(field: Field, start: number, end: number): void {
    const { scanner } = this;
    if (/^\d/.test(scanner.text.slice(start, end))) {
      const suggestion = 'quote the text to search it, or the key if it is one';
      scanner.fail('a field begins with a digit', start, end, suggestion);
    }
    if (field.kind === 'column' && field.name === 'id') this.#refuseInFilter('"id"', start, end);
  }

  #exists(start: number): Filter {
    const { scanner } = this;
    scanner.skipSpace();
    const at = scanner.at;
    const field = readField(scanner);
    this.#checkField(field, at, scanner.at);
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
      const text = readText(scanner);
      if (text === '') scanner.fail('the text to search is empty', at);
      return { kind: 'text', scope: 'any', text };
    }
    this.#refuseInFilter(`"${word}"`, start, start + word.length);
    const time = readTime(scanner);
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
    scanner.expectBoundary(start);
    return { kind: 'text', scope: 'msg', text };
  }

  #membership(base: FieldTest, start: number): Filter {
    const { scanner } = this;
    scanner.skipSpace();
    const at = scanner.at;
    if (scanner.take('@')) {
      const file = readText(scanner);
      this.#refuseInFilter('"in @file"', at, scanner.at);
      if (file === '') scanner.fail('the name of a file is missing after "@"', at);
      return { kind: 'in-file', ...base, file };
    }
    if (!scanner.take('('))
      scanner.fail('"in" takes a list in brackets or @file', at, at + 1, 'quote the word to search it: "in"');
    const values: Value[] = [];
    do {
      scanner.skipSpace();
      values.push(readValue(scanner, base.field));
      scanner.skipSpace();
    } while (scanner.take(','));
    if (!scanner.take(')')) scanner.fail('the list is never closed', at, scanner.at);
    scanner.expectBoundary(start);
    return joinMatchers(base, values);
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

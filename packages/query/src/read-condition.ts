import { joinFilters, type CompareOp, type Field, type Filter, type Value } from './ast.ts';
import { formatField, isTextColumn } from './field.ts';
import { readClosedRegex, readRegex } from './read-regex.ts';
import { readText, readValue } from './read-value.ts';
import type { Scanner } from './scanner.ts';

export type Operator = CompareOp | '~' | '!~' | '=~' | '!=~' | ':';

/** The field of a condition, and whether the condition holds where it is absent. */
export interface FieldTest {
  readonly field: Field;
  readonly orAbsent: boolean;
}

/** Reads what stands behind a field and its operator; `start` is where the condition began. */
export function readCondition(scanner: Scanner, base: FieldTest, operator: Operator, start: number): Filter {
  const { field } = base;
  const at = scanner.at - operator.length;
  scanner.skipSpace();
  if (scanner.done || /[)|]/.test(scanner.peek())) {
    scanner.fail(`a value is missing after ${JSON.stringify(operator)}`, at, at + operator.length);
  }
  if (operator === ':') return readMatcher(scanner, base, start);
  if (operator === '~' || operator === '!~') {
    requireText(scanner, field, operator, at);
    return readContains(scanner, base, operator === '!~');
  }
  if (operator === '=~' || operator === '!=~') {
    requireText(scanner, field, operator, at);
    return { kind: 'regex', ...base, ...readRegex(scanner, operator), negated: operator === '!=~' };
  }
  const value = readValue(scanner, field);
  if (value.kind === 'boolean' && operator !== '=' && operator !== '!=') {
    scanner.fail(
      `true and false have no order; got ${JSON.stringify(operator)}`,
      at,
      at + operator.length,
      'use = or !=',
    );
  }
  scanner.expectBoundary(start);
  return { kind: 'compare', ...base, op: operator, value };
}

function requireText(scanner: Scanner, field: Field, operator: string, at: number): void {
  if (field.kind === 'path' || isTextColumn(field)) return;
  scanner.fail(
    `${formatField(field)} is no text, so ${JSON.stringify(operator)} can't search it`,
    at,
    at + operator.length,
    'use =, !=, <, <=, > or >=',
  );
}

function readContains(scanner: Scanner, base: FieldTest, negated: boolean): Filter {
  const start = scanner.at;
  const regex = readClosedRegex(scanner);
  // `~` ignores case, whatever stands behind it.
  if (regex !== undefined) return { kind: 'regex', ...base, pattern: regex, flags: 'i', negated };
  const text = readText(scanner);
  if (text === '') scanner.fail('the text to search is empty', start);
  return { kind: 'contains', ...base, text, negated };
}

/** `field:` takes a list, a range, a glob, `*` for "is there", or a regular expression. */
function readMatcher(scanner: Scanner, base: FieldTest, start: number): Filter {
  const { field } = base;
  if (scanner.peek(2) === '//')
    scanner.fail('this looks like an URL', start, scanner.at + 2, 'quote the text to search it');
  if (field.kind === 'path' || isTextColumn(field)) {
    const pattern = readClosedRegex(scanner);
    if (pattern !== undefined) return { kind: 'regex', ...base, pattern, flags: '', negated: false };
  }
  const items = [readMatcherItem(scanner, base)];
  while (scanner.take(',')) {
    scanner.skipSpace();
    items.push(readMatcherItem(scanner, base));
  }
  scanner.expectBoundary(start);
  return joinMatchers(base, items);
}

function readMatcherItem(scanner: Scanner, base: FieldTest): Value | Filter {
  const { field } = base;
  const start = scanner.at;
  if (scanner.match(/\*(?=[\s)|,]|$)/y) !== undefined) {
    if (base.orAbsent) scanner.fail('"?" and "*" together hold for every record', start);
    return { kind: 'exists', field };
  }
  const isQuoted = scanner.peek() === '"';
  if (!isQuoted) {
    const word = peekWord(scanner);
    if (word.includes('*') && !/^[=<>~!]/.test(word) && (field.kind === 'path' || isTextColumn(field))) {
      scanner.moveTo(start + word.length);
      return { kind: 'glob', ...base, parts: word.split('*') };
    }
  }
  const low = readValue(scanner, field, true);
  if (!scanner.take('..')) return low;
  const high = readValue(scanner, field, false);
  if (low.kind !== high.kind || low.kind === 'boolean') {
    scanner.fail('both ends of a range must be numbers, times or texts alike', start, scanner.at);
  }
  return { kind: 'range', ...base, low, high };
}

function peekWord(scanner: Scanner): string {
  const start = scanner.at;
  const word = scanner.word();
  scanner.moveTo(start);
  return word;
}

/** Equal to one of some values and patterns. */
export function joinMatchers(base: FieldTest, items: readonly (Value | Filter)[]): Filter {
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

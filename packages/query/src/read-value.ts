import { LEVEL_NAMES, parseLevel } from '@treeline/contract';
import type { ColumnName, Field, TimeValue, Value } from './ast.ts';
import { closest } from './closest.ts';
import { formatField } from './field.ts';
import type { Scanner } from './scanner.ts';
import { resolveTime } from './time.ts';

const NUMBER = /^-?(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?$/i;

/** Reads a value for a field: what a bare word means depends on it. `stopAtRange` leaves a `..` unread. */
export function readValue(scanner: Scanner, field: Field, stopAtRange = false): Value {
  const start = scanner.at;
  const isQuoted = scanner.peek() === '"';
  const word = isQuoted ? scanner.quoted() : bareValue(scanner, stopAtRange);
  if (field.kind === 'column') return columnValue(scanner, field.name, word, start);
  if (isQuoted) return { kind: 'string', value: word };
  if (word === 'true' || word === 'false') return { kind: 'boolean', value: word === 'true' };
  if (word === 'null') {
    const suggestion = `write -exists(${formatField(field)}), or quote it for the text`;
    scanner.fail('null counts as absent', start, scanner.at, suggestion);
  }
  if (!NUMBER.test(word)) return { kind: 'string', value: word };
  const value = Number(word);
  if (!Number.isFinite(value)) scanner.fail(`the number ${word} is too large`, start, scanner.at);
  return { kind: 'number', value };
}

function columnValue(scanner: Scanner, column: ColumnName, word: string, start: number): Value {
  const fail = (reason: string, suggestion?: string): never =>
    scanner.fail(reason, start, scanner.at, suggestion);
  if (column === 'level') return { kind: 'number', value: readLevelValue(word) ?? fail(...levelFault(word)) };
  if (column === 'time') return checkTime(scanner, word, start);
  if (column !== 'id') return { kind: 'string', value: word };
  if (/^\d{1,15}$/.test(word)) return { kind: 'number', value: Number(word) };
  return fail(`an id is a whole number; got ${JSON.stringify(word)}`);
}

/** Reads a text, quoted or bare, with nothing behind it. */
export function readText(scanner: Scanner): string {
  const start = scanner.at;
  const text = scanner.peek() === '"' ? scanner.quoted() : bareValue(scanner, false);
  scanner.expectBoundary(start);
  return text;
}

/** Reads a time. */
export function readTime(scanner: Scanner): TimeValue {
  const start = scanner.at;
  return checkTime(scanner, readText(scanner), start);
}

function checkTime(scanner: Scanner, text: string, start: number): TimeValue {
  if (resolveTime(text, { nowMs: 0 })) return { kind: 'time', text: text.trim() };
  return scanner.fail(
    `${JSON.stringify(text)} is no time`,
    start,
    scanner.at,
    'write 2026-03-04T22:15, 2026-03, today, yesterday, 90m (ago) or unix milliseconds',
  );
}

function bareValue(scanner: Scanner, stopAtRange: boolean): string {
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

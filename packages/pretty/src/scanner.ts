import type { KnownKey, KnownKeys } from './known-keys.ts';

/** What a scanned value is; strings and nested values that hold only printable ASCII, and no escapes, may be printed as they stand. */
export const PLAIN_STRING = 0;
export const STRING = 1;
export const NUMBER = 2;
export const LITERAL = 3;
export const PLAIN_NESTED = 4;
const NESTED = 5;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const BRACKET_OPEN = 0x5b;

/** What the walk through a nested value meets next. */
const NEXT = { value: 0, key: 1, after: 2 } as const;

/**
 * Finds the keys and values of one JSON object without building it: what is printed is cut from the line itself. It accepts exactly
 * what JSON.parse accepts as an object, keeps no more than offsets, and uses its arrays again for the next line.
 */
export class LineScanner {
  count = 0;
  readonly keys: KnownKey[] = [];
  readonly kinds: number[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Whether all strings since it was last set are printable ASCII without escapes. */
  #plain = true;
  readonly #closers: number[] = [];
  readonly #known: KnownKeys;

  constructor(known: KnownKeys) {
    this.#known = known;
  }

  /** Reads the object at `start`; false where the text up to `end` is no JSON object. The character at `end` must not be printable. */
  scan(text: string, start: number, end: number): boolean {
    this.count = 0;
    let at = skipSpace(text, start);
    if (text.charCodeAt(at) !== BRACE_OPEN) return false;
    at = skipSpace(text, at + 1);
    if (text.charCodeAt(at) === BRACE_CLOSE) return skipSpace(text, at + 1) === end;
    for (;;) {
      at = this.#member(text, at);
      if (at < 0) return false;
      at = skipSpace(text, at);
      const code = text.charCodeAt(at);
      if (code === BRACE_CLOSE) return skipSpace(text, at + 1) === end;
      if (code !== COMMA) return false;
      at = skipSpace(text, at + 1);
    }
  }

  #member(text: string, start: number): number {
    const { count } = this;
    const before = (count > 0 ? this.keys[count - 1] : undefined) ?? this.#known.start;
    const guess = before.next;
    let from: number;
    if (guess?.quoted !== undefined && standsAt(text, start, guess.quoted)) {
      this.keys[count] = guess;
      from = skipSpace(text, start + guess.quoted.length);
    } else {
      this.#plain = true;
      const keyEnd = this.#string(text, start);
      if (keyEnd < 0) return -1;
      const key = this.#plain ? text.slice(start + 1, keyEnd - 1) : decode(text.slice(start, keyEnd));
      const colon = skipSpace(text, keyEnd);
      if (text.charCodeAt(colon) !== COLON) return -1;
      this.keys[count] = this.#known.find(key, this.#plain, before);
      from = skipSpace(text, colon + 1);
    }
    const first = text.charCodeAt(from);
    const isNested = first === BRACE_OPEN || first === BRACKET_OPEN;
    this.#plain = true;
    const to = isNested ? this.#nested(text, from) : this.#scalar(text, from);
    if (to < 0) return -1;
    this.starts[count] = from;
    this.ends[count] = to;
    this.kinds[count] = this.#kind(first, isNested);
    this.count = count + 1;
    return to;
  }

  #kind(first: number, isNested: boolean): number {
    if (isNested) return this.#plain ? PLAIN_NESTED : NESTED;
    if (first === QUOTE) return this.#plain ? PLAIN_STRING : STRING;
    return first < 0x61 ? NUMBER : LITERAL;
  }

  /** Walks an object or array with a stack of its own: nesting is bounded by the line's length, not by ours. */
  #nested(text: string, start: number): number {
    const closers = this.#closers;
    let depth = 0;
    let at = start;
    let expected: number = NEXT.value;
    for (;;) {
      const code = text.charCodeAt(at);
      if (expected === NEXT.value) {
        if (code === BRACE_OPEN || code === BRACKET_OPEN) {
          const closer = code + 2;
          closers[depth++] = closer;
          at = skipSpace(text, at + 1);
          if (text.charCodeAt(at) === closer) expected = NEXT.after;
          else if (closer === BRACE_CLOSE) expected = NEXT.key;
        } else {
          at = this.#scalar(text, at);
          if (at < 0) return -1;
          at = skipSpace(text, at);
          expected = NEXT.after;
        }
      } else if (expected === NEXT.key) {
        at = this.#string(text, at);
        if (at < 0) return -1;
        at = skipSpace(text, at);
        if (text.charCodeAt(at) !== COLON) return -1;
        at = skipSpace(text, at + 1);
        expected = NEXT.value;
      } else {
        const closer = closers[depth - 1];
        if (code === closer) {
          if (--depth === 0) return at + 1;
        } else if (code === COMMA) expected = closer === BRACE_CLOSE ? NEXT.key : NEXT.value;
        else return -1;
        at = skipSpace(text, at + 1);
      }
    }
  }

  #scalar(text: string, at: number): number {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return this.#string(text, at);
    if (code === 0x74) return text.startsWith('true', at) ? at + 4 : -1;
    if (code === 0x66) return text.startsWith('false', at) ? at + 5 : -1;
    if (code === 0x6e) return text.startsWith('null', at) ? at + 4 : -1;
    return scanNumber(text, at);
  }

  /** The offset behind the closing quote, or -1. */
  #string(text: string, start: number): number {
    if (text.charCodeAt(start) !== QUOTE) return -1;
    for (let at = start + 1; ; at++) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) return at + 1;
      // Also where the text has ended, and the code is NaN.
      if (!(code >= 0x20)) return -1;
      if (code === BACKSLASH) {
        this.#plain = false;
        at = scanEscape(text, at + 1);
        if (at < 0) return -1;
      } else if (code >= 0x7f) this.#plain = false;
    }
  }
}

function standsAt(text: string, start: number, part: string): boolean {
  for (let index = 0; index < part.length; index++)
    if (text.charCodeAt(start + index) !== part.charCodeAt(index)) return false;
  return true;
}

/** Decodes a string token. */
export function decode(token: string): string {
  return JSON.parse(token) as string;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code === 0x20 || code === 0x09 || code === 0x0d;)
    code = text.charCodeAt(++at);
  return at;
}

/** The offset of an escape's last character, or -1. `at` is the one behind the backslash. */
function scanEscape(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code !== 0x75) return ESCAPED.has(code) ? at : -1;
  for (let digit = at + 1; digit <= at + 4; digit++) if (!isHex(text.charCodeAt(digit))) return -1;
  return at + 4;
}

const ESCAPED: ReadonlySet<number> = new Set(Array.from('"\\/bfnrt', (char) => char.charCodeAt(0)));

function isHex(code: number): boolean {
  return isDigit(code) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function scanNumber(text: string, start: number): number {
  let at = text.charCodeAt(start) === 0x2d ? start + 1 : start;
  const first = at;
  at = skipDigits(text, at);
  if (at === first || (at > first + 1 && text.charCodeAt(first) === 0x30)) return -1;
  if (text.charCodeAt(at) === 0x2e) {
    const fraction = skipDigits(text, at + 1);
    if (fraction === at + 1) return -1;
    at = fraction;
  }
  const letter = text.charCodeAt(at);
  if (letter !== 0x65 && letter !== 0x45) return at;
  const sign = text.charCodeAt(at + 1);
  const digits = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1;
  const end = skipDigits(text, digits);
  return end === digits ? -1 : end;
}

function skipDigits(text: string, from: number): number {
  let at = from;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

import { isUtf8 } from 'node:buffer';
import { DEFAULT_LEVEL } from '@treeline/contract';
import { NO_SOURCE, readTs, type Columns } from './columns.ts';

/*
 * Reads a row's columns from the bytes of a line in one pass, instead of parsing it: JSON.parse, counting keys against it and the
 * garbage of both took more than a third of a row's time. It takes what pino writes: compact JSON whose keys need no escapes. Whatever
 * else it meets (white space, an escaped or doubled key, a time that is no number, anything that is not JSON) it leaves to the parser,
 * by returning undefined. Invariant: where it does return columns, the line is valid JSON without doubled keys, nested less than 64
 * deep, and the columns are those that `deriveColumns` gives for the parsed line.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const SPACE = 0x20;
const LETTER_A = 0x61;
const LETTER_E = 0x65;
const LETTER_U = 0x75;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const SINGLE_ESCAPES = Buffer.from('"\\\\/bfnrt');
const LITERALS = ['true', 'false', 'null'].map((literal) => Buffer.from(literal));

/** Digits that a double holds in any case. */
const MAX_DIGITS = 15;

const MAX_DEPTH = 64;
const MAX_KEYS = 512;

const LEVEL = 0;
const TIME = 1;
const MSG = 2;
const SOURCE = 3;
const NAME = 4;
const SERVICE = 5;
const APP = 6;
const TYPE = 7;
const REF = 8;
const REF_ALIAS = 9;
const TRACE = 10;
const SPAN = 11;
const PARENT = 12;

const FIELDS = 'level time msg source name service app type ref_id refId trace_id span_id parent_span_id'
  .split(' ')
  .map((key) => Buffer.from(key));

/** Where each field's value begins and ends in the line at hand; begins at -1 where the line has none. */
const starts = new Int32Array(FIELDS.length);
const ends = new Int32Array(FIELDS.length);

/** Hashes of the keys of all objects that are open at the place at hand, the innermost object's last. */
const hashes = new Int32Array(MAX_KEYS);
/** For each open object or list where its keys begin in `hashes`; -1 for a list. */
const firstKeys = new Int32Array(MAX_DEPTH);

/** The columns of a line, or undefined where it has to be parsed to know them. */
export function scanLine(line: Buffer, arrivalMs: number): Columns | undefined {
  if (line[0] !== OPEN_BRACE || !scanStructure(line) || !isUtf8(line)) return undefined;
  const level = integerAt(line, LEVEL, DEFAULT_LEVEL);
  const time = integerAt(line, TIME, -1);
  const refId = textAt(line, REF) ?? textAt(line, REF_ALIAS);
  if (level === undefined || time === undefined || isNumberAt(line, REF) || isNumberAt(line, REF_ALIAS)) {
    return undefined;
  }
  return {
    source:
      textAt(line, SOURCE) ?? textAt(line, NAME) ?? textAt(line, SERVICE) ?? textAt(line, APP) ?? NO_SOURCE,
    type: textAt(line, TYPE) ?? 'log',
    refId: refId ?? null,
    ts: time < 0 ? arrivalMs : (readTs(time) ?? arrivalMs),
    level,
    msg: isTextAt(line, MSG) ? sliceAt(line, MSG) : null,
    traceId: textAt(line, TRACE) ?? null,
    spanId: textAt(line, SPAN) ?? null,
    parentSpanId: textAt(line, PARENT) ?? null,
  };
}

/** Checks the line's structure and finds its fields: a state machine over the bytes, which is why it is long. */
function scanStructure(line: Buffer): boolean {
  starts.fill(-1);
  if (line[1] === CLOSE_BRACE) return line.length === 2;
  let depth = 1;
  let keyCount = 0;
  let field = -1;
  let isAtKey = true;
  firstKeys[0] = 0;
  for (let at = 1; ;) {
    if (isAtKey) {
      if (line[at] !== QUOTE) return false;
      const keyStart = ++at;
      let hash = 0;
      for (let char = line[at] ?? 0; char !== QUOTE; char = line[++at] ?? 0) {
        if (char < SPACE || char === BACKSLASH) return false;
        hash = (Math.imul(hash, 31) + char) | 0;
      }
      if (line[at + 1] !== COLON || keyCount === MAX_KEYS) return false;
      for (let other = firstKeys[depth - 1] ?? 0; other < keyCount; other++) {
        if (hashes[other] === hash) return false;
      }
      hashes[keyCount++] = hash;
      if (depth === 1) field = fieldOf(line, keyStart, at);
      at += 2;
      if (depth === 1 && field >= 0) starts[field] = at;
    }
    const byte = line[at] ?? 0;
    if ((byte === OPEN_BRACE || byte === OPEN_BRACKET) && line[at + 1] !== byte + 2) {
      if (depth === MAX_DEPTH) return false;
      isAtKey = byte === OPEN_BRACE;
      firstKeys[depth++] = isAtKey ? keyCount : -1;
      at++;
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) at += 2;
    else at = byte === QUOTE ? stringEnd(line, at) : scalarEnd(line, at);
    if (at < 0) return false;
    if (depth === 1 && field >= 0) ends[field] = at;
    for (let next = line[at++]; next !== COMMA; next = line[at++]) {
      const first = firstKeys[depth - 1] ?? -1;
      if (next !== (first < 0 ? CLOSE_BRACKET : CLOSE_BRACE)) return false;
      if (first >= 0) keyCount = first;
      if (--depth === 0) return at === line.length;
    }
    isAtKey = (firstKeys[depth - 1] ?? -1) >= 0;
  }
}

/** Which field a key is, or -1. */
function fieldOf(line: Buffer, start: number, end: number): number {
  switch (end - start) {
    case 3:
      return isKey(line, start, MSG) ? MSG : isKey(line, start, APP) ? APP : -1;
    case 4:
      return isKey(line, start, TIME)
        ? TIME
        : isKey(line, start, NAME)
          ? NAME
          : isKey(line, start, TYPE)
            ? TYPE
            : -1;
    case 5:
      return isKey(line, start, LEVEL) ? LEVEL : isKey(line, start, REF_ALIAS) ? REF_ALIAS : -1;
    case 6:
      return isKey(line, start, SOURCE) ? SOURCE : isKey(line, start, REF) ? REF : -1;
    case 7:
      return isKey(line, start, SPAN) ? SPAN : isKey(line, start, SERVICE) ? SERVICE : -1;
    case 8:
      return isKey(line, start, TRACE) ? TRACE : -1;
    case 14:
      return isKey(line, start, PARENT) ? PARENT : -1;
    default:
      return -1;
  }
}

function isKey(line: Buffer, start: number, field: number): boolean {
  const key = FIELDS[field];
  return key !== undefined && startsWith(line, start, key);
}

function startsWith(line: Buffer, start: number, bytes: Buffer): boolean {
  for (let index = 0; index < bytes.length; index++) if (line[start + index] !== bytes[index]) return false;
  return true;
}

/** The place behind a string's closing quote, or -1 where it is no JSON string. */
function stringEnd(line: Buffer, start: number): number {
  for (let at = start + 1; ; at++) {
    const byte = line[at] ?? 0;
    if (byte === QUOTE) return at + 1;
    if (byte < SPACE) return -1;
    if (byte !== BACKSLASH) continue;
    const escape = line[++at] ?? 0;
    if (escape === LETTER_U) {
      for (const end = at + 4; at < end;) if (!isHexDigit(line[++at] ?? 0)) return -1;
    } else if (!SINGLE_ESCAPES.includes(escape)) return -1;
  }
}

/** The place behind a number or a literal, or -1. */
function scalarEnd(line: Buffer, start: number): number {
  const byte = line[start] ?? 0;
  if (byte === MINUS || isDigit(byte)) return numberEnd(line, start);
  const literal = LITERALS.find(([first]) => first === byte);
  return literal && startsWith(line, start, literal) ? start + literal.length : -1;
}

function numberEnd(line: Buffer, start: number): number {
  let at = start;
  if (line[at] === MINUS) at++;
  if (line[at] === ZERO) at++;
  else if ((at = digitsEnd(line, at)) < 0) return -1;
  if (line[at] === DOT && (at = digitsEnd(line, at + 1)) < 0) return -1;
  if (line[at] !== LETTER_E && line[at] !== LETTER_E - 0x20) return at;
  at++;
  if (line[at] === MINUS || line[at] === PLUS) at++;
  return digitsEnd(line, at);
}

/** The place behind at least one digit, or -1. */
function digitsEnd(line: Buffer, start: number): number {
  let at = start;
  while (isDigit(line[at] ?? 0)) at++;
  return at === start ? -1 : at;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function isHexDigit(byte: number): boolean {
  const letter = byte | 0x20;
  return isDigit(byte) || (letter >= LETTER_A && letter <= LETTER_A + 5);
}

/** A field's value where it is a text with something in it. */
function textAt(line: Buffer, field: number): string | undefined {
  return isTextAt(line, field) && (ends[field] ?? 0) - (starts[field] ?? 0) > 2
    ? sliceAt(line, field)
    : undefined;
}

function isTextAt(line: Buffer, field: number): boolean {
  const start = starts[field] ?? -1;
  return start >= 0 && line[start] === QUOTE;
}

function sliceAt(line: Buffer, field: number): string {
  const text = line.toString('utf8', (starts[field] ?? 0) + 1, (ends[field] ?? 0) - 1);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

function isNumberAt(line: Buffer, field: number): boolean {
  const start = starts[field] ?? -1;
  const byte = line[start] ?? 0;
  return start >= 0 && (byte === MINUS || isDigit(byte));
}

/** A field's value where it is digits and no more than a double holds; undefined where it is something else. */
function integerAt(line: Buffer, field: number, absent: number): number | undefined {
  const start = starts[field] ?? -1;
  if (start < 0) return absent;
  const end = ends[field] ?? 0;
  if (!isDigit(line[start] ?? 0) || end - start > MAX_DIGITS) return undefined;
  let value = 0;
  for (let at = start; at < end; at++) {
    const byte = line[at] ?? 0;
    if (!isDigit(byte)) return undefined;
    value = value * 10 + byte - ZERO;
  }
  return value;
}

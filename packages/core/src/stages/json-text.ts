/*
 * Walks JSON as text. Values are spliced, not parsed and written anew: what is not touched stays as it was logged, numbers beyond a
 * double's precision included. The text must be JSON; what is not throws a SyntaxError.
 */

/** Where a value stands. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The offset of the next character that is no white space. */
export function skipSpace(text: string, at: number): number {
  let next = at;
  for (
    let code = text.charCodeAt(next);
    code === 0x20 || (code >= 0x09 && code <= 0x0d);
    code = text.charCodeAt(++next)
  );
  return next;
}

/** The offset behind the string that begins at `at`. */
export function endOfString(text: string, at: number): number {
  for (let quote = text.indexOf('"', at + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  throw new SyntaxError('a string is not closed');
}

const BEHIND_LITERAL = /[\s,\]}]|$/g;

/** The offset behind the value that begins at `at`, however deep it is nested. */
export function endOfValue(text: string, at: number): number {
  const first = text[at];
  if (first === '"') return endOfString(text, at);
  if (first !== '{' && first !== '[') {
    BEHIND_LITERAL.lastIndex = at;
    return BEHIND_LITERAL.exec(text)?.index ?? text.length;
  }
  let depth = 0;
  for (let index = at; index < text.length; index++) {
    const char = text[index];
    if (char === '"') index = endOfString(text, index) - 1;
    else if (char === '{' || char === '[') depth++;
    else if ((char === '}' || char === ']') && --depth === 0) return index + 1;
  }
  throw new SyntaxError('an object or list is not closed');
}

/** The text of a JSON string without its quotes, escapes resolved. */
export function readString(text: string, { start, end }: Span): string {
  const raw = text.slice(start + 1, end - 1);
  return raw.includes('\\') ? (JSON.parse(text.slice(start, end)) as string) : raw;
}

/** A member of an object: its key, and where key and value stand. */
export interface JsonMember {
  readonly key: string;
  readonly keyStart: number;
  readonly value: Span;
}

/** The members of the object that the text is; none where it is no object. */
export function* membersOf(text: string): Generator<JsonMember> {
  let at = skipSpace(text, 0);
  if (text[at] !== '{') return;
  at = skipSpace(text, at + 1);
  while (at < text.length && text[at] !== '}') {
    const keyStart = at;
    const keyEnd = endOfString(text, at);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    yield { key: readString(text, { start: keyStart, end: keyEnd }), keyStart, value: { start, end } };
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
}

import { MAX_DEPTH } from './limits.ts';
import { maskSource } from './secret.ts';

/** A mistake in the text of a config, by offsets. */
export interface Fault {
  readonly code: 'CFG003' | 'CFG004';
  readonly start: number;
  readonly end: number;
  readonly message: string;
  readonly suggestion?: string;
}

/** Strings, comments and brackets. */
const TOKENS = /"(?:[^"\\\n\r]|\\.)*("?)|\/\/[^\n]*|\/\*[\s\S]*?(\*\/|$)|[{}[\]]/g;

/** Comments become spaces, so that places stay: momoa recurses over them, and ten thousand in a row end its stack. */
export function withoutComments(text: string): string {
  return text.replace(TOKENS, (token) => (token.startsWith('/') ? token.replace(/[^\r\n]/g, ' ') : token));
}

/** Finds, before the parser runs, what it would report at an unhelpful place, or recurse too deeply on. */
export function scanConfig(text: string): Fault | undefined {
  if (trailing(text, 0) === undefined) {
    return {
      code: 'CFG004',
      start: 0,
      end: 1,
      message: 'the config is empty',
      suggestion: 'write at least {}',
    };
  }
  const open: { char: string; start: number }[] = [];
  for (const match of text.matchAll(TOKENS)) {
    const [token, quote, commentEnd] = match;
    const start = match.index;
    const end = start + token.length;
    const broken = (message: string): Fault => ({ code: 'CFG004', start, end, message });
    if (token.startsWith('"') && quote === '')
      return broken('the text that begins here has no closing quote');
    if (token.startsWith('/*') && commentEnd === '') return broken('the comment that begins here has no end');
    if (token === '{' || token === '[') {
      open.push({ char: token, start });
      if (open.length > MAX_DEPTH) {
        return { ...broken(`the config is nested deeper than ${MAX_DEPTH} levels`), code: 'CFG003' };
      }
    } else if (token === '}' || token === ']') {
      const opener = open.pop();
      const wanted = opener?.char === '{' ? '}' : ']';
      if (!opener) return broken(`"${token}" closes nothing`);
      if (wanted !== token) {
        return broken(
          `"${token}" closes the "${opener.char}" of ${place(text, opener.start)}, which needs "${wanted}"`,
        );
      }
      if (open.length === 0) {
        const rest = trailing(text, end);
        if (rest !== undefined) {
          return {
            code: 'CFG004',
            start: rest,
            end: rest + 1,
            message: 'the config ends before this; nothing may follow it',
          };
        }
      }
    }
  }
  const unclosed = open.at(-1);
  if (!unclosed) return undefined;
  return {
    code: 'CFG004',
    start: unclosed.start,
    end: unclosed.start + 1,
    message: `the "${unclosed.char}" that begins here is never closed`,
  };
}

function place(text: string, offset: number): string {
  const before = text.slice(0, offset);
  return `line ${before.split('\n').length}, column ${offset - before.lastIndexOf('\n')}`;
}

/** The offset of the first thing from a place on that is neither space nor comment; undefined where nothing is. */
function trailing(text: string, from: number): number | undefined {
  const space = /(?:\s+|\/\/[^\n]*|\/\*[^]*?\*\/)/y;
  let offset = from;
  for (space.lastIndex = from; space.test(text);) offset = space.lastIndex;
  return offset < text.length ? offset : undefined;
}

/** Says what is wrong at an offset of a text without comments, in the words of someone who looks at it. */
export function explainSyntax(text: string, offset: number): { message: string; suggestion?: string } {
  const rest = text.slice(offset);
  const before = text.slice(0, offset).trimEnd();
  const previous = before.at(-1) ?? '';
  if (rest === '') return { message: 'the config ends too early' };
  if (rest.startsWith("'")) {
    return { message: 'texts and keys stand in double quotes', suggestion: `write " instead of '` };
  }
  const word = /^[A-Za-z_$][\w$.-]*/.exec(rest)?.[0];
  if (word !== undefined && (previous === '{' || previous === ',') && /^\s*:/.test(rest.slice(word.length))) {
    return { message: `the key ${word} needs double quotes`, suggestion: `write "${word}"` };
  }
  if (word !== undefined && (previous === ':' || previous === '[' || previous === ',')) {
    if (maskSource(text).slice(offset, offset + word.length) !== word)
      return { message: 'this is no JSON value', suggestion: 'write it in double quotes if it is a text' };
    const suggestion = /^(?:true|false|null)$/i.test(word)
      ? `did you mean ${word.toLowerCase()}?`
      : `write "${word}" if it is a text`;
    return { message: `${word} is no JSON value`, suggestion };
  }
  if (rest.startsWith('\\')) {
    return {
      message: `"${rest.slice(0, 2)}" is no escape that JSON knows`,
      suggestion: 'write \\\\ for a backslash',
    };
  }
  if (/^-?0\d/.test(rest))
    return { message: 'no number begins with 0', suggestion: 'quote it, or leave the 0 out' };
  if (/["\d\]}el]/.test(previous) && /["\d{[tfn-]/.test(rest[0] ?? '')) {
    const missing = isKey(before) ? 'colon' : 'comma';
    return { message: `a ${missing} is missing before this` };
  }
  return { message: `unexpected ${JSON.stringify(rest[0])}` };
}

/** Whether a text ends with a string that stands where an object wants a key. */
function isKey(before: string): boolean {
  if (!/[{,]\s*"(?:[^"\\]|\\.)*"$/.test(before)) return false;
  const open: string[] = [];
  for (const [token] of before.matchAll(TOKENS)) {
    if (token === '{' || token === '[') open.push(token);
    else if (token === '}' || token === ']') open.pop();
  }
  return open.at(-1) === '{';
}

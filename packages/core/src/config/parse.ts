import { parse, type ValueNode } from '@humanwhocodes/momoa';
import { nodeFrom, type ConfigNode, type Member, type Origin, type Path } from './node.ts';
import type { ProblemList } from './problem-list.ts';

export const MAX_BYTES = 1024 * 1024;
const MAX_DEPTH = 64;

/** Keys that JavaScript gives a meaning of its own. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/** Decodes the bytes of a config; undefined, with a problem added, where they are no UTF-8 text of an acceptable size. */
export function decodeConfig(bytes: Buffer, file: string, problems: ProblemList): string | undefined {
  const origin: Origin = { kind: 'file', file };
  if (bytes.length > MAX_BYTES) {
    const message = `the config has more than ${MAX_BYTES} bytes (1M)`;
    problems.add(origin, [], { code: 'CFG003', message, suggestion: 'is this the right file?' });
    return undefined;
  }
  const utf16 = utf16Name(bytes);
  if (utf16 !== undefined) {
    const message = `the config is encoded as ${utf16}; only UTF-8 is read`;
    problems.add(origin, [], { code: 'CFG002', message, suggestion: 'save it again as UTF-8' });
    return undefined;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    problems.add(origin, [], {
      code: 'CFG002',
      message: 'the config holds bytes that are no UTF-8',
      suggestion: 'save it again as UTF-8',
    });
    return undefined;
  }
}

/** By the mark at the start, or by the zero byte that UTF-16 puts beside the first ASCII character. */
function utf16Name(bytes: Buffer): string | undefined {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return 'UTF-16LE';
  if (first === 0xfe && second === 0xff) return 'UTF-16BE';
  if (bytes.length >= 2 && first !== 0 && second === 0) return 'UTF-16LE';
  return first === 0 && second !== 0 && second !== undefined ? 'UTF-16BE' : undefined;
}

/** Parses JSON with comments and trailing commas; undefined, with a problem added, where that is impossible. */
export function parseConfig(text: string, file: string, problems: ProblemList): ConfigNode | undefined {
  problems.addSource(file, text);
  const at = (start: number, end = start + 1): Origin => ({ kind: 'file', file, start, end });
  const fault = scan(text);
  if (fault) {
    problems.add(at(fault.start, fault.end), [], fault);
    return undefined;
  }
  try {
    const document = parse(text, { mode: 'jsonc', ranges: true, allowTrailingCommas: true });
    return convert(document.body, file, [], problems);
  } catch (error) {
    if (!isSyntaxError(error)) throw error;
    const start = Math.min(error.offset, text.length);
    problems.add(at(start), [], { code: 'CFG004', ...explainSyntax(text, start) });
    return undefined;
  }
}

/** Takes a config from the program, within the same limits; undefined, with a problem added, where it passes them. */
export function readObject(value: object, origin: Origin, problems: ProblemList): ConfigNode | undefined {
  const fault = findFault(value, [], []);
  if (!fault) return nodeFrom(value, origin);
  problems.add(origin, fault.path, fault);
  return undefined;
}

function findFault(
  value: unknown,
  path: Path,
  above: readonly object[],
): { code: 'CFG003' | 'CFG006'; message: string; path: Path } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (above.includes(value))
    return { code: 'CFG003', message: 'the config contains itself', path: path.slice(0, 3) };
  if (path.length >= MAX_DEPTH) {
    return {
      code: 'CFG003',
      message: `the config is nested deeper than ${MAX_DEPTH} levels`,
      path: path.slice(0, 3),
    };
  }
  for (const [key, item] of Object.entries(value)) {
    const itemPath = [...path, Array.isArray(value) ? Number(key) : key];
    if (!Array.isArray(value) && FORBIDDEN_KEYS.has(key)) {
      return { code: 'CFG006', message: `the key ${JSON.stringify(key)} is not allowed`, path: itemPath };
    }
    const fault = findFault(item, itemPath, [...above, value]);
    if (fault) return fault;
  }
  return undefined;
}

interface Fault {
  readonly code: 'CFG003' | 'CFG004';
  readonly start: number;
  readonly end: number;
  readonly message: string;
  readonly suggestion?: string;
}

const TOKENS = /"(?:[^"\\\n\r]|\\.)*("?)|\/\/[^\n]*|\/\*[\s\S]*?(\*\/|$)|[{}[\]]/g;

/** Finds, before the parser runs, what it would report at an unhelpful place, or recurse too deeply on. */
function scan(text: string): Fault | undefined {
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

/** The offset of the first thing behind the config's end that is neither space nor comment. */
function trailing(text: string, from: number): number | undefined {
  const rest = /^(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/.exec(text.slice(from));
  const offset = from + (rest?.[0].length ?? 0);
  return offset < text.length ? offset : undefined;
}

function isSyntaxError(error: unknown): error is Error & { offset: number } {
  return error instanceof Error && 'offset' in error && typeof error.offset === 'number';
}

/** Says what is wrong at an offset where the parser stopped, in the words of someone who looks at the text. */
function explainSyntax(text: string, offset: number): { message: string; suggestion?: string } {
  const rest = text.slice(offset);
  const before = text.slice(0, offset).replace(/(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+$/, '');
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
  if (!/[{,](?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)*"(?:[^"\\]|\\.)*"$/.test(before)) return false;
  const open: string[] = [];
  for (const [token] of before.matchAll(TOKENS)) {
    if (token === '{' || token === '[') open.push(token);
    else if (token === '}' || token === ']') open.pop();
  }
  return open.at(-1) === '{';
}

function convert(
  node: ValueNode,
  file: string,
  path: (string | number)[],
  problems: ProblemList,
): ConfigNode {
  const origin = originOf(node, file);
  if (node.type === 'Array') {
    const items = node.elements.map((element, index) =>
      convert(element.value, file, [...path, index], problems),
    );
    return { kind: 'array', origin, items };
  }
  if (node.type !== 'Object') return { kind: 'scalar', origin, value: 'value' in node ? node.value : null };
  const members = new Map<string, Member>();
  for (const member of node.members) {
    const key = member.name.type === 'String' ? member.name.value : member.name.name;
    const keyOrigin = originOf(member.name, file);
    const memberPath = [...path, key];
    const first = members.get(key);
    if (FORBIDDEN_KEYS.has(key)) {
      problems.add(keyOrigin, memberPath, {
        code: 'CFG006',
        message: `the key ${JSON.stringify(key)} is not allowed`,
      });
    } else if (first) {
      const before = problems.position(file, first.keyOrigin.start ?? 0);
      const message = `the key ${JSON.stringify(key)} stands twice, first in line ${before?.line}`;
      problems.add(keyOrigin, memberPath, { code: 'CFG005', message, suggestion: 'remove one of them' });
    } else {
      members.set(key, { keyOrigin, value: convert(member.value, file, memberPath, problems) });
    }
  }
  return { kind: 'object', origin, members };
}

function originOf(node: { range?: [number, number] | undefined }, file: string): Origin {
  const [start, end] = node.range ?? [0, 0];
  return { kind: 'file', file, start, end };
}

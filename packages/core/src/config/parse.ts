import { parse, type ValueNode } from '@humanwhocodes/momoa';
import { MAX_BYTES, MAX_DEPTH } from './limits.ts';
import {
  formatPath,
  isPlainObject,
  nodeFrom,
  type ConfigNode,
  type Member,
  type Origin,
  type Path,
} from './node.ts';
import type { ProblemList } from './problem-list.ts';
import { explainSyntax, scanConfig, withoutComments } from './syntax.ts';

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
  const fault = scanConfig(text);
  if (fault) {
    problems.add(at(fault.start, fault.end), [], fault);
    return undefined;
  }
  const code = withoutComments(text);
  try {
    const document = parse(code, { mode: 'json', ranges: true, allowTrailingCommas: true });
    return convert(document.body, file, [], problems);
  } catch (error) {
    if (!isSyntaxError(error)) throw error;
    const start = Math.min(error.offset, code.length);
    problems.add(at(start), [], { code: 'CFG004', ...explainSyntax(code, start) });
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
): { code: 'CFG003' | 'CFG006' | 'CFG102'; message: string; path: Path } | undefined {
  if (!canBeCloned(value)) {
    const message = `${formatPath(path)} must be data that a thread can be given; got a ${typeof value}`;
    return { code: 'CFG102', message, path };
  }
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

/** Options go to a worker; a list or a plain object is as good as what it holds, which is looked at by itself. */
function canBeCloned(value: unknown): boolean {
  if (typeof value === 'function' || typeof value === 'symbol') return false;
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isPlainObject(value))
    return true;
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

function isSyntaxError(error: unknown): error is Error & { offset: number } {
  return error instanceof Error && 'offset' in error && typeof error.offset === 'number';
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

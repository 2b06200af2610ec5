import { createHash } from 'node:crypto';
import type { SerializedError } from './serialize-error.ts';

const LENGTH = 16;
/** Frames of the program that tell one fault from another; those further out are who called. */
const FRAMES = 3;
const MAX_CAUSES = 10;

/**
 * The same for errors of one fault: made of type, code and the program's own functions on the stack, not of line numbers; where the stack
 * has none, of the message without its numbers, ids and quoted texts. 16 hex digits.
 */
export function fingerprintOf(error: SerializedError): string {
  const hash = createHash('sha256');
  let each: unknown = error;
  for (let depth = 0; depth < MAX_CAUSES && isSerialized(each); depth++) {
    hash.update(partsOf(each).join('\n'));
    each = each.cause;
  }
  return hash.digest('hex').slice(0, LENGTH);
}

function isSerialized(value: unknown): value is SerializedError {
  return typeof value === 'object' && value !== null && 'type' in value && 'message' in value;
}

function partsOf({ type, code, message, stack = '' }: SerializedError): string[] {
  const frames = appFrames(stack);
  return [type, String(code ?? ''), ...(frames.length > 0 ? frames : [normalizeMessage(message)])];
}

/** Function and file of the program's innermost frames; a file is told by its last two names, wherever it is deployed. */
function appFrames(stack: string): string[] {
  const frames: string[] = [];
  for (const line of stack.split('\n')) {
    const match = /^\s+at (?:(?:async )?(?<name>.+?) \()?(?<file>[^()]+?):\d+:\d+\)?$/.exec(line);
    const { name = '', file = '' } = match?.groups ?? {};
    if (file === '' || file.startsWith('node:') || /[\\/]node_modules[\\/]/.test(file)) continue;
    frames.push(`${name} ${normalizeMessage(file.split(/[\\/]/).slice(-2).join('/'))}`);
    if (frames.length === FRAMES) break;
  }
  return frames;
}

/** A message without what differs from one time to the next. */
export function normalizeMessage(message: string): string {
  return message
    .slice(0, 1000)
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<uuid>')
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '<text>')
    .replace(/\b(?=[a-z]*\d)[0-9a-z]{8,}\b/gi, '<id>')
    .replace(/\d+/g, '<n>');
}

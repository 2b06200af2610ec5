import { messageOf } from '@treeline/contract';
import { compileRegex } from './regex.ts';
import type { Scanner } from './scanner.ts';

/** `/…/` without spaces and with nothing behind it; anything else that begins with a slash is a plain text. */
export function readClosedRegex(scanner: Scanner): string | undefined {
  const start = scanner.at;
  const literal = scanner.match(/\/(?:[^/\\\s]|\\\S)+\/(?=[\s)|]|$)/y);
  if (literal === undefined) return undefined;
  return checkRegex(scanner, literal.slice(1, -1), '', start);
}

/** Reads `/…/flags`. */
export function readRegex(scanner: Scanner, operator: string): { pattern: string; flags: string } {
  const start = scanner.at;
  const literal = scanner.match(/\/(?:[^/\\\n]|\\.)+\//y);
  if (literal === undefined) {
    if (scanner.peek() === '/') {
      scanner.fail('the regular expression is never closed', start, scanner.text.length, 'end it with /');
    }
    const suggestion = `write it between slashes: ${operator}/…/`;
    scanner.fail('a regular expression is expected', start, start + 1, suggestion);
  }
  const flags = scanner.match(/[a-z]+/iy) ?? '';
  if (/[^ims]/.test(flags) || new Set(flags).size < flags.length) {
    scanner.fail(
      `unknown flags ${JSON.stringify(flags)}`,
      scanner.at - flags.length,
      scanner.at,
      'known: i, m, s, each once',
    );
  }
  scanner.expectBoundary(start);
  return {
    pattern: checkRegex(scanner, literal.slice(1, -1), flags, start),
    flags: flags.split('').toSorted().join(''),
  };
}

function checkRegex(scanner: Scanner, raw: string, flags: string, start: number): string {
  const pattern = raw.replace(/\\([^])/g, (whole, char: string) => (char === '/' ? '/' : whole));
  try {
    compileRegex(pattern, flags);
    return pattern;
  } catch (error) {
    return scanner.fail(
      `broken regular expression: ${messageOf(error)}`,
      start,
      scanner.at,
      'expressions are RE2: no look-around, no back-references',
    );
  }
}

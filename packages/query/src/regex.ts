import { createRequire } from 'node:module';

/** A compiled expression of a query. */
export interface TextMatcher {
  test(text: string): boolean;
}

const require = createRequire(import.meta.url);

/**
 * Compiles an RE2 expression, which runs in linear time whatever a query's author writes. The engine is loaded by the first
 * one: it costs 7 ms, and most filters have none.
 *
 * @throws Error with the engine's message for a broken expression.
 */
export function compileRegex(pattern: string, flags: string): TextMatcher {
  const { RE2JS } = require('re2js') as typeof import('re2js');
  let bits = 0;
  if (flags.includes('i')) bits |= RE2JS.CASE_INSENSITIVE;
  if (flags.includes('m')) bits |= RE2JS.MULTILINE;
  if (flags.includes('s')) bits |= RE2JS.DOTALL;
  return RE2JS.compile(pattern, bits);
}

import { escapeText, quoteText } from './escape.ts';
import type { Theme } from './theme.ts';

const PLAIN_KEY = /^[\w.$@/-]+$/;

/** Prints `key=value`; a key with spaces or quotes is quoted, as a string value always is. */
export function formatField(key: string, value: unknown, theme: Theme): string {
  const shown = PLAIN_KEY.test(key) ? escapeText(key) : quoteText(key);
  return `${theme.key(`${shown}=`)}${formatValue(value)}`;
}

/** Prints a value as JSON, so that a string, a number and an object can be told apart. */
export function formatValue(value: unknown): string {
  if (typeof value === 'string') return quoteText(value);
  return escapeText(JSON.stringify(value) ?? String(value));
}

/** A value as plain text; foreign input may hold anything where a text is expected, also objects that String() throws on. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : JSON.stringify(value);
}

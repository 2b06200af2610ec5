import { detached } from './detached.ts';
import { escapeText, quoteText, type Escaping } from './escape.ts';
import { jsonText } from './json-text.ts';
import type { Line } from './line.ts';
import { LITERAL, NUMBER, PLAIN_NESTED, PLAIN_STRING, STRING, decode } from './scanner.ts';
import type { Theme } from './theme.ts';

/** How fields are printed. */
export interface FieldFormat {
  readonly placement: 'inline' | 'bracket' | 'below' | 'none';
  readonly theme: Theme;
  readonly escaping: Escaping;
  isShown(key: string): boolean;
}

const PLAIN_KEY = /^[\w.$@/-]+$/;

/** Prints the fields at these tokens of a line, with what separates them from the message before. */
export function formatFields(line: Line, tokens: readonly number[], format: FieldFormat): string {
  if (format.placement === 'none') return '';
  const { escaping } = format;
  let text = '';
  for (const index of tokens) {
    const key = line.key(index);
    if (!format.isShown(key.text)) continue;
    key.label ??= formatLabel(key.text, format.theme);
    text += joiner(text === '', format.placement) + key.label + formatToken(line, index, escaping);
  }
  return text !== '' && format.placement === 'bracket' ? `${text}}` : text;
}

/** `key=`, painted. */
function formatLabel(key: string, theme: Theme): string {
  return detached(theme.faint(`${formatKey(key)}=`));
}

function joiner(isFirst: boolean, placement: FieldFormat['placement']): string {
  if (placement === 'below') return '\n  ';
  if (placement === 'bracket') return isFirst ? ' {' : ', ';
  return ' ';
}

/** A key as it stands, or quoted where it could be taken for something else. */
export function formatKey(key: string): string {
  return PLAIN_KEY.test(key) ? key : quoteText(key);
}

/** A value as its JSON, cut from the line where that is safe: so strings, numbers and objects can be told apart. */
function formatToken(line: Line, index: number, escaping: Escaping): string {
  const token = line.token(index);
  switch (line.kind(index)) {
    case PLAIN_STRING:
    case NUMBER:
    case LITERAL:
    case PLAIN_NESTED:
      return token;
    case STRING:
      return quoteText(decode(token), escaping);
    default:
      return escapeText(token);
  }
}

const PLAIN_WORD = /^[\x21\x23-\x3c\x3e-\x7e]+$/;
const AMBIGUOUS_WORD = /^(?:[[{\d+-]|true$|false$|null$)/;

/** An attribute's value as it is printed: words stand without quotes, as labels do. */
export function formatAttrValue(value: unknown): string {
  return typeof value === 'string' ? formatWord(value) : escapeText(jsonText(value));
}

/** The same for a token of a line. */
export function formatAttrToken(line: Line, index: number): string {
  const token = line.token(index);
  switch (line.kind(index)) {
    case PLAIN_STRING:
      return isWord(token.slice(1, -1)) ? token.slice(1, -1) : token;
    case STRING:
      return formatWord(decode(token));
    default:
      return escapeText(token);
  }
}

function formatWord(text: string): string {
  return isWord(text) ? text : quoteText(text);
}

function isWord(text: string): boolean {
  return PLAIN_WORD.test(text) && !AMBIGUOUS_WORD.test(text);
}

/** An attribute of a span; its value is printed already. */
export function formatAttr(key: string, value: string, theme: Theme): string {
  return `${theme.faint(`${formatKey(key)}=`)}${value}`;
}

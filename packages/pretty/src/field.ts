import { detached } from './detached.ts';
import { escapeText, quoteText, type Escaping } from './escape.ts';
import type { Line } from './line.ts';
import { LITERAL, NUMBER, PLAIN_NESTED, PLAIN_STRING, STRING, decode } from './scanner.ts';
import type { Theme } from './theme.ts';

/** How fields are printed. */
export interface FieldFormat {
  readonly placement: 'inline' | 'bracket' | 'below' | 'none';
  readonly theme: Theme;
  readonly escaping: Escaping;
  /** Keys as they are printed, filled on the way. */
  readonly labels: Map<string, string>;
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
    if (!format.isShown(key)) continue;
    text += joiner(text === '', format.placement) + labelOf(key, format) + formatToken(line, index, escaping);
  }
  return text !== '' && format.placement === 'bracket' ? `${text}}` : text;
}

/** What is remembered of keys: not all that a hostile log may hold. */
const MAX_LABELS = 1000;
const MAX_LABEL_LENGTH = 100;

/** `key=`, painted; the same few keys come again and again. */
function labelOf(key: string, { theme, labels }: FieldFormat): string {
  const known = labels.get(key);
  if (known !== undefined) return known;
  const label = theme.faint(`${formatKey(key)}=`);
  if (labels.size < MAX_LABELS && key.length <= MAX_LABEL_LENGTH) labels.set(detached(key), detached(label));
  return label;
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

/** An attribute of a span, from its JSON: words stand without quotes, as labels do. */
export function formatAttr(key: string, json: string, theme: Theme): string {
  const word = json.startsWith('"') ? decode(json) : '';
  const isPlain = PLAIN_WORD.test(word) && !AMBIGUOUS_WORD.test(word);
  const value = isPlain ? word : json.startsWith('"') ? quoteText(word) : escapeText(json);
  return `${theme.faint(`${formatKey(key)}=`)}${value}`;
}

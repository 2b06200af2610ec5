/**
 * Makes text from a log safe to print. What could move the cursor, colour the terminal, reorder or hide text is shown as an
 * escape, never passed on and never left out: leaving it out would hide the attack and join what it separated.
 */

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/** C0, DEL, C1, bidi controls, line and paragraph separators, BOM, noncharacters, lone surrogates, and marks beyond eight on one base. */
const UNSAFE =
  // oxlint-disable-next-line no-control-regex no-misleading-character-class -- these characters are what is looked for.
  /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]|(?<=\p{M}{8})\p{M}/gu;

const TAB_STOP = 4;

/** How text is escaped. */
export interface Escaping {
  /** What a line feed becomes: `\\n` on one line, `\n` where the text is cut into lines that each get a gutter. */
  readonly lineFeed: '\\n' | '\n';
  /** Lets colours through: SGR sequences and nothing else. */
  readonly trustColors: boolean;
}

const ONE_LINE: Escaping = { lineFeed: '\\n', trustColors: false };

/** Escapes text; a tab is spread to the next stop of 4. */
export function escapeText(text: string, escaping: Escaping = ONE_LINE): string {
  return PRINTABLE_ASCII.test(text) ? text : replaceUnsafe(text, escaping);
}

/** Escapes text and puts it in double quotes, so that a string can't be taken for a number or for what stands beside it. */
export function quoteText(text: string, escaping: Escaping = ONE_LINE): string {
  return `"${escapeText(text.replace(/["\\]/g, '\\$&'), escaping)}"`;
}

function replaceUnsafe(text: string, escaping: Escaping): string {
  if (escaping.trustColors) return replaceBetweenColors(text, escaping);
  let column = 0;
  let from = 0;
  const unbroken = escaping.lineFeed === '\n' ? text.replaceAll('\r\n', '\n') : text;
  return unbroken.replace(UNSAFE, (char: string, offset: number) => {
    column += offset - from;
    from = offset + char.length;
    if (char === '\n' && escaping.lineFeed === '\n') {
      column = 0;
      return char;
    }
    const shown = char === '\t' ? ' '.repeat(TAB_STOP - (column % TAB_STOP)) : escapeChar(char);
    column += shown.length;
    return shown;
  });
}

const RESET = '\u001b[0m';
/** Lines would grow with the square of what is repeated on each. */
const MAX_COLORS_LENGTH = 64;
const COLORS = /(\u001b\[[\d;:]*m)/;

function replaceBetweenColors(text: string, escaping: Escaping): string {
  const parts = text.split(COLORS);
  let active = '';
  const escaped = parts.map((part, index) => {
    if (index % 2 === 1) {
      active = nextColors(active, part);
      return part;
    }
    const safe = escapeText(part, { ...escaping, trustColors: false });
    // A gutter stands before the next line, which is not of that colour.
    return index === 0 ? safe : safe.replaceAll('\n', `${RESET}\n${active}`);
  });
  return parts.length > 1 ? `${escaped.join('')}${RESET}` : escaped.join('');
}

/** The sequences that a further line begins with. */
function nextColors(active: string, sequence: string): string {
  if (/^\u001b\[0*m$/.test(sequence) || sequence.length > MAX_COLORS_LENGTH) return '';
  return active.length + sequence.length > MAX_COLORS_LENGTH ? sequence : active + sequence;
}

function escapeChar(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code === 0x0a) return '\\n';
  if (code <= 0x9f) return `\\x${code.toString(16).padStart(2, '0')}`;
  const replaced = (code >= 0xd800 && code <= 0xdfff) || code === 0xfffe || code === 0xffff;
  return replaced ? '\ufffd' : `\\u{${code.toString(16)}}`;
}

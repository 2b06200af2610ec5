/**
 * Makes text from a log safe to print. What could move the cursor, colour the terminal, reorder or hide text is shown as an
 * escape, never passed on and never left out: leaving it out would hide the attack and join what it separated.
 */

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/** C0, DEL, C1, bidi controls, line and paragraph separators, BOM, noncharacters, lone surrogates, and marks beyond eight on one base. */
const UNSAFE =
  // oxlint-disable-next-line no-control-regex no-misleading-character-class
  /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]|(?<=\p{M}{8})\p{M}/gu;

const TAB_STOP = 4;

/** Escapes text for one line: a line feed becomes `\n`, a tab is spread to the next stop of 4. */
export function escapeText(text: string): string {
  return PRINTABLE_ASCII.test(text) ? text : replaceUnsafe(text, '\\n');
}

/** Escapes text and cuts it at its line feeds (a carriage return before one is dropped): for blocks that have a gutter. */
export function escapeLines(text: string): string[] {
  return text.split(/\r?\n/).map(escapeText);
}

/** Escapes text and puts it in double quotes, so that a string can't be taken for a number or for what stands beside it. */
export function quoteText(text: string): string {
  return `"${escapeText(text.replace(/["\\]/g, '\\$&'))}"`;
}

function replaceUnsafe(text: string, lineFeed: string): string {
  let column = 0;
  let from = 0;
  return text.replace(UNSAFE, (char: string, offset: number) => {
    column += offset - from;
    from = offset + char.length;
    const shown = char === '\t' ? ' '.repeat(TAB_STOP - (column % TAB_STOP)) : escapeChar(char, lineFeed);
    column += shown.length;
    return shown;
  });
}

function escapeChar(char: string, lineFeed: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code === 0x0a) return lineFeed;
  if (code <= 0x9f) return `\\x${code.toString(16).padStart(2, '0')}`;
  const replaced = (code >= 0xd800 && code <= 0xdfff) || code === 0xfffe || code === 0xffff;
  return replaced ? '\ufffd' : `\\u{${code.toString(16)}}`;
}

import { createRequire } from 'node:module';

const ASCII = /^[\x20-\x7e]*$/;
const SGR = /(\u001b\[[\d;:]*m)/;
/** Loading the tables and the segmenter takes some 50 ms, and most logs need neither. */
let stringWidth: ((text: string) => number) | undefined;
let segmenter: Intl.Segmenter | undefined;

/** Columns that a text takes on a terminal, colours not counted. Segmenting is slow, so ASCII is told first. */
export function columnsOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  stringWidth ??= (createRequire(import.meta.url)('string-width') as typeof import('string-width')).default;
  return stringWidth(text);
}

/** Cuts a text into pieces that fit: between words where that is possible, never inside a grapheme or a colour sequence. */
export function wrapText(text: string, columns: number): string[] {
  // Colours make a text longer than it shows, never wider.
  if (text.length <= columns && ASCII.test(text)) return [text];
  if (columnsOf(text) <= columns) return [text];
  const pieces: string[] = [];
  let piece = '';
  let used = 0;
  let style = '';
  const breakLine = (): void => {
    pieces.push(style === '' ? piece : `${piece}\u001b[0m`);
    piece = style;
    used = 0;
  };
  for (const [index, part] of text.split(SGR).entries()) {
    if (index % 2 === 1) {
      piece += part;
      style = part === '\u001b[0m' ? '' : part;
      continue;
    }
    for (const word of part.split(/(?<= )/)) {
      const width = columnsOf(word.trimEnd());
      if (used > 0 && used + width > columns && width <= columns) breakLine();
      if (used + columnsOf(word) <= columns) {
        piece += word;
        used += columnsOf(word);
        continue;
      }
      for (const grapheme of graphemes(word)) {
        const size = columnsOf(grapheme);
        if (used > 0 && used + size > columns) {
          if (grapheme === ' ') continue;
          breakLine();
        }
        piece += grapheme;
        used += size;
      }
    }
  }
  if (used > 0 || pieces.length === 0) pieces.push(piece);
  return pieces;
}

/** Cuts a text at the screen's edge; `more` says that something was cut. */
export function truncateText(text: string, columns: number, more: string): string {
  if (text.length <= columns || columnsOf(text) <= columns) return text;
  const [first = ''] = wrapHard(text, columns - columnsOf(more));
  return `${first}${more}`;
}

function wrapHard(text: string, columns: number): string[] {
  let piece = '';
  let used = 0;
  let hasStyle = false;
  for (const [index, part] of text.split(SGR).entries()) {
    if (index % 2 === 1) {
      piece += part;
      hasStyle = part !== '\u001b[0m';
      continue;
    }
    for (const grapheme of graphemes(part)) {
      used += columnsOf(grapheme);
      if (used > columns) return [hasStyle ? `${piece}\u001b[0m` : piece];
      piece += grapheme;
    }
  }
  return [piece];
}

function graphemes(text: string): Iterable<string> {
  if (ASCII.test(text)) return text;
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

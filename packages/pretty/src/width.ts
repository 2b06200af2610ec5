import { createRequire } from 'node:module';
import { detached } from './detached.ts';
import { RESET } from './theme.ts';
import { wrapAscii } from './wrap-ascii.ts';

const ASCII = /^[\x20-\x7e]*$/;
const COLOR = /(\u001b\[[\d;:]*m)/;
const COLORS = /\u001b\[[\d;:]*m/g;
/** With the character before, which a combining mark belongs to. */
const BEYOND_ASCII = /[\x20-\x7e]?[^\x20-\x7e]+/g;
/** Measuring costs some microseconds for each grapheme: of what is longer only code points are told apart. */
const MAX_MEASURED_LENGTH = 4096;
const MAX_KNOWN_WIDTHS = 4096;
const MAX_KNOWN_LENGTH = 16;
/** A run without spaces, colours inside included, and the spaces behind it. */
const WORD = /(?:\u001b\[[\d;:]*m|[^ ])+ *| +/g;

/** Loading the tables and the segmenter takes some 50 ms, and most logs need neither. */
let stringWidth: ((text: string) => number) | undefined;
let segmenter: Intl.Segmenter | undefined;
const knownWidths = new Map<string, number>();

/** Columns that a text takes on a terminal, colours not counted. Segmenting is slow, so only what is not ASCII is given to it. */
export function columnsOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  const plain = text.includes('\u001b') ? text.replace(COLORS, '') : text;
  let columns = plain.length;
  for (const [run] of plain.matchAll(BEYOND_ASCII)) columns += columnsOfRun(run) - run.length;
  return columns;
}

function columnsOfRun(run: string): number {
  // Latin letters with their accents are one column each.
  if (run.length === 1 && run < '\u0300' && run >= '\u00a1') return 1;
  const known = knownWidths.get(run);
  if (known !== undefined) return known;
  stringWidth ??= (createRequire(import.meta.url)('string-width') as typeof import('string-width')).default;
  const columns = stringWidth(run);
  if (run.length <= MAX_KNOWN_LENGTH && knownWidths.size < MAX_KNOWN_WIDTHS)
    knownWidths.set(detached(run), columns);
  return columns;
}

/** Cuts a text into pieces that fit: between words where that is possible, never inside a grapheme or a colour sequence. */
export function wrapText(text: string, columns: number): string[] {
  // Colours make a text longer than it shows, never wider.
  if (text.length <= columns && ASCII.test(text)) return [text];
  const pieces = wrapAscii(text, columns);
  if (pieces) return pieces;
  if (text.length <= MAX_MEASURED_LENGTH && columnsOf(text) <= columns) return [text];
  const wrapper = new Wrapper(columns);
  for (const [word] of text.matchAll(WORD)) wrapper.add(word);
  return wrapper.pieces();
}

/** Cuts a text at the screen's edge; `more` says that something was cut. */
export function truncateText(text: string, columns: number, more: string): string {
  if (text.length <= MAX_MEASURED_LENGTH && columnsOf(text) <= columns) return text;
  const wrapper = new Wrapper(columns - columnsOf(more));
  wrapper.addByGrapheme(text);
  return `${wrapper.pieces()[0] ?? ''}${more}`;
}

/** Fills pieces of so many columns; a colour that is on at the end of one goes on in the next. */
class Wrapper {
  readonly #columns: number;
  readonly #pieces: string[] = [];
  #piece = '';
  #used = 0;
  #style = '';

  constructor(columns: number) {
    this.#columns = columns;
  }

  add(word: string): void {
    if (word.length > MAX_MEASURED_LENGTH) {
      this.addByGrapheme(word);
      return;
    }
    const width = columnsOf(word);
    const widthWithoutSpaces = columnsOf(word.trimEnd());
    if (
      this.#used > 0 &&
      this.#used + widthWithoutSpaces > this.#columns &&
      widthWithoutSpaces <= this.#columns
    )
      this.#break();
    if (this.#used + width > this.#columns) {
      this.addByGrapheme(word);
      return;
    }
    for (const [index, part] of word.split(COLOR).entries()) {
      if (index % 2 === 1) this.#restyle(part);
      else this.#piece += part;
    }
    this.#used += width;
  }

  addByGrapheme(text: string): void {
    for (const [index, part] of text.split(COLOR).entries()) {
      if (index % 2 === 1) this.#restyle(part);
      else for (const grapheme of graphemes(part)) this.#addGrapheme(grapheme);
    }
  }

  pieces(): string[] {
    return this.#used > 0 || this.#pieces.length === 0 ? [...this.#pieces, this.#piece] : this.#pieces;
  }

  #addGrapheme(grapheme: string): void {
    const width = columnsOf(grapheme);
    if (this.#used > 0 && this.#used + width > this.#columns) {
      // Spaces at the edge are not carried over.
      if (grapheme === ' ') return;
      this.#break();
    }
    this.#piece += grapheme;
    this.#used += width;
  }

  #restyle(sequence: string): void {
    this.#piece += sequence;
    this.#style = sequence === RESET ? '' : sequence;
  }

  #break(): void {
    this.#pieces.push(this.#style === '' ? this.#piece : `${this.#piece}${RESET}`);
    this.#piece = this.#style;
    this.#used = 0;
  }
}

function* graphemes(text: string): Generator<string> {
  if (text.length > MAX_MEASURED_LENGTH || ASCII.test(text)) {
    yield* text;
    return;
  }
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  let at = 0;
  for (const { 0: run, index } of text.matchAll(BEYOND_ASCII)) {
    yield* text.slice(at, index);
    for (const { segment } of segmenter.segment(run)) yield segment;
    at = index + run.length;
  }
  yield* text.slice(at);
}

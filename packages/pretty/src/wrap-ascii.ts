import { RESET } from './theme.ts';

const ESCAPE = 0x1b;
const SPACE = 0x20;
const LAST_PRINTABLE = 0x7e;

/**
 * Wraps text of printable ASCII and colours, as nearly all is, by cutting it at offsets; undefined where there is something else. The
 * rules are `Wrapper`'s: between words where that is possible, spaces at the edge let go, a colour goes on in the next piece.
 */
export function wrapAscii(text: string, columns: number): string[] | undefined {
  const pieces: string[] = [];
  let style = '';
  let used = 0;
  let start = 0;
  let startStyle = '';
  let end = 0;
  let endStyle = '';
  const breakAt = (at: number): void => {
    pieces.push(startStyle + text.slice(start, end) + (endStyle === '' ? '' : RESET));
    start = at;
    startStyle = style;
    used = 0;
  };
  for (let at = 0; at < text.length;) {
    const word = measureWord(text, at);
    if (!word) return undefined;
    if (used > 0 && used + word.columns > columns && word.columns <= columns) breakAt(at);
    const fits = used + word.columns + word.spaces <= columns;
    while (at < word.end) {
      const code = text.charCodeAt(at);
      if (code === ESCAPE) {
        const after = text.indexOf('m', at) + 1;
        const sequence = text.slice(at, after);
        style = sequence === RESET ? '' : sequence;
        if (end === at) {
          end = after;
          endStyle = style;
        }
        at = after;
        continue;
      }
      if (!fits && used > 0 && used === columns) {
        if (code === SPACE) {
          at++;
          continue;
        }
        breakAt(at);
      }
      used++;
      end = ++at;
      endStyle = style;
    }
  }
  if (used > 0 || pieces.length === 0) pieces.push(startStyle + text.slice(start, end));
  return pieces;
}

interface Word {
  readonly end: number;
  readonly columns: number;
  /** Behind it. */
  readonly spaces: number;
}

/** A run without spaces, colours inside included, and the spaces behind it. */
function measureWord(text: string, start: number): Word | undefined {
  let columns = 0;
  let spaces = 0;
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === SPACE) spaces++;
    else if (spaces > 0) break;
    else if (code === ESCAPE) {
      at = text.indexOf('m', at);
      if (at < 0) return undefined;
    } else if (code > SPACE && code <= LAST_PRINTABLE) columns++;
    else return undefined;
    at++;
  }
  return { end: at, columns, spaces };
}

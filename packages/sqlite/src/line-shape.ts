/** What can be told of a JSON text without parsing it. */
export interface LineShape {
  /** All keys at all depths, doubles counted each. */
  readonly keys: number;
  /** The deepest nesting; 1 for a flat object. */
  readonly depth: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Counts keys and nesting of a JSON text; for a text that is not JSON the answer means nothing. */
export function shapeOf(json: Uint8Array): LineShape {
  let keys = 0;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) {
      at = stringEnd(json, at);
    } else if (byte === COLON) {
      // Outside strings a colon stands behind a key and nowhere else.
      keys++;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > deepest) deepest = depth;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
    }
  }
  return { keys, depth: deepest };
}

/** Replaces each value that stands deeper than `maxDepth` by its JSON text, as a string. */
export function flattenBelow(json: string, maxDepth: number): string {
  const bytes = Buffer.from(json);
  const parts: string[] = [];
  let copied = 0;
  let start = 0;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = stringEnd(bytes, at);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth === maxDepth + 1) start = at;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth-- === maxDepth + 1) {
        parts.push(
          bytes.toString('utf8', copied, start),
          JSON.stringify(bytes.toString('utf8', start, at + 1)),
        );
        copied = at + 1;
      }
    }
  }
  parts.push(bytes.toString('utf8', copied));
  return parts.join('');
}

/** The place of the quote that ends the string that begins at `at`. */
function stringEnd(json: Uint8Array, at: number): number {
  let end = at + 1;
  while (end < json.length && json[end] !== QUOTE) end += json[end] === BACKSLASH ? 2 : 1;
  return end;
}

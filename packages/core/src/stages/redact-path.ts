/** A key, or `*` for any one key, or `**` for any number of keys. */
export type PathSegment =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'deep' };

const SEGMENT = /\.?(?:\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.[\]]+))/y;

/**
 * Reads a path such as `req.headers.authorization`, `users[*].email`, `*.password`, `**.secret` or `headers["set-cookie"]`.
 *
 * @returns the segments, or what is wrong with it.
 */
export function parseRedactPath(text: string): readonly PathSegment[] | string {
  const segments: PathSegment[] = [];
  SEGMENT.lastIndex = 0;
  for (let at = 0; at < text.length; at = SEGMENT.lastIndex) {
    const match = text[at] === '.' && at === 0 ? null : SEGMENT.exec(text);
    if (!match || (at > 0 && !/^[.[]/.test(match[0])))
      return `must be keys with dots between them; got ${JSON.stringify(text)}`;
    const [, quoted, index, word] = match;
    if (quoted !== undefined) segments.push({ kind: 'key', key: unescape(quoted) });
    else segments.push(segmentOf(index ?? word ?? ''));
  }
  if (segments.length === 0) return 'must not be empty';
  if (segments.every(({ kind }) => kind === 'deep'))
    return `would mask everything; got ${JSON.stringify(text)}`;
  return segments;
}

function segmentOf(word: string): PathSegment {
  if (word === '**') return { kind: 'deep' };
  return word === '*' ? { kind: 'any' } : { kind: 'key', key: word };
}

function unescape(quoted: string): string {
  return quoted.replace(/\\(.)/gs, '$1');
}

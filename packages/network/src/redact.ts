import type { ParsedNetworkOptions } from './options.ts';

/** A shorter value stands in any text by chance. */
const LEAST_SECRET = 6;

/**
 * A server may answer with what it was sent: header values, the url's query, and segments of its path that look like a token never get into
 * a message.
 */
export function createRedactor({
  url,
  headers,
}: Pick<ParsedNetworkOptions, 'url' | 'headers'>): (text: string) => string {
  const fromUrl = new URL(url);
  const values = [
    ...Object.values(headers).flatMap((value) => [value, ...value.split(/[\s,;]+/)]),
    ...fromUrl.searchParams.values(),
    fromUrl.search,
    ...fromUrl.pathname.split('/').filter(looksLikeToken),
  ];
  const secrets = [...new Set(values)]
    .filter((value) => value.length >= LEAST_SECRET)
    .toSorted((a, b) => b.length - a.length);
  return (text) => secrets.reduce((shown, secret) => shown.replaceAll(secret, '********'), text);
}

/** As in the address of a webhook: a long word of letters and digits, or of capitals and small letters, that nobody would speak. */
function looksLikeToken(segment: string): boolean {
  const isMixed = /[a-z]/.test(segment) && /[A-Z]/.test(segment);
  if (segment.length >= 20 && isMixed && /\d/.test(segment)) return true;
  return segment.split(/[^A-Za-z0-9]+/).some((word) => isRandom(word));
}

function isRandom(word: string): boolean {
  if (word.length >= 12 && /\d/.test(word) && (/[A-Za-z]/.test(word) || word.length >= 20)) return true;
  return word.length >= 20 && /[a-z]/.test(word) && /[A-Z]/.test(word);
}

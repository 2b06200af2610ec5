import type { ParsedNetworkOptions } from './options.ts';

/** A shorter value stands in any text by chance. */
const LEAST_SECRET = 6;

/** A server may answer with what it was sent: header values and the url's query never get into a message. */
export function createRedactor({
  url,
  headers,
}: Pick<ParsedNetworkOptions, 'url' | 'headers'>): (text: string) => string {
  const fromUrl = new URL(url);
  const values = [
    ...Object.values(headers).flatMap((value) => [value, ...value.split(/[\s,;]+/)]),
    ...fromUrl.searchParams.values(),
    fromUrl.search,
  ];
  const secrets = [...new Set(values)]
    .filter((value) => value.length >= LEAST_SECRET)
    .toSorted((a, b) => b.length - a.length);
  return (text) => secrets.reduce((shown, secret) => shown.replaceAll(secret, '********'), text);
}

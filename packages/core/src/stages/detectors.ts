import type { RedactConfig } from '../config/config.ts';
import type { Span } from './json-text.ts';

export type DetectorName = RedactConfig['detectors'][number];

/** Finds values that give themselves away, wherever they stand in a text. All are linear in the text. */
interface Detector {
  /** A cheap look: where it fails, nothing is to be found. */
  mayHold(text: string): boolean;
  replace(text: string, censor: string): string;
}

/** Digits with single spaces or dashes between them, long enough for a card number. */
const DIGITS = /\d(?:[ -]?\d){12,}/g;

/** RFC 7519: both header and payload are JSON objects, whose `{"` is `eyJ` in base64url. */
const JWT = /(?<![\w-])eyJ[\w-]{2,}\.eyJ[\w-]{2,}\.[\w-]*/g;

/** RFC 5321 allows 64 characters before the sign, 63 in each part behind it. Quoted local parts are not looked for. */
const EMAIL =
  /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}[\p{L}\p{N}-]{2,63}/gu;

export const DETECTORS: Readonly<Record<DetectorName, Detector>> = {
  card: {
    mayHold: (text) => /(?<!\d)[2-6]\d{3}(?:[ -]?\d){9}/.test(text),
    replace: maskCards,
  },
  jwt: {
    mayHold: (text) => text.includes('eyJ'),
    replace: (text, censor) => text.replace(JWT, () => censor),
  },
  email: {
    mayHold: (text) => text.includes('@'),
    replace: (text, censor) => text.replace(EMAIL, () => censor),
  },
};

/** Masks runs of whole groups of digits that are a card number: it may stand beside a date or an amount. */
function maskCards(text: string, censor: string): string {
  return text.replace(DIGITS, (run: string, offset: number) => {
    const groups = [...run.matchAll(/\d+/g)].map(({ 0: { length }, index }) => ({
      start: index,
      end: index + length,
    }));
    // Digits within a word, or behind a decimal point, are part of something else.
    if (/[\w.]$/.test(text.slice(Math.max(0, offset - 1), offset))) groups.shift();
    if (/^\w/.test(text.slice(offset + run.length, offset + run.length + 1))) groups.pop();
    let masked = '';
    let copied = 0;
    for (let first = 0; first < groups.length; first++) {
      const last = lastGroupOfCard(run, groups, first);
      if (last === undefined) continue;
      masked += run.slice(copied, groups[first]?.start) + censor;
      copied = groups[last]?.end ?? run.length;
      first = last;
    }
    return masked + run.slice(copied);
  });
}

function lastGroupOfCard(run: string, groups: readonly Span[], first: number): number | undefined {
  let digits = '';
  let found: number | undefined;
  for (let index = first; index < groups.length && digits.length < MAX_CARD_DIGITS; index++) {
    digits += run.slice(groups[index]?.start, groups[index]?.end);
    if (isCardNumber(digits)) found = index;
  }
  return found;
}

const MAX_CARD_DIGITS = 19;

/** By ISO/IEC 7812-1: length, an issuer's first digit, and the check digit (Luhn), without which every tenth long number would pass. */
function isCardNumber(digits: string): boolean {
  if (digits.length > MAX_CARD_DIGITS || !/^[2-6]\d{12}/.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 0x30;
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

import type { Answer, Outcome } from './protocol.ts';

const MAX_QUOTE = 200;

/**
 * What a status means where a protocol knows nothing better. Lines are given up only where the server says that they are at fault;
 * whatever may be a matter of addresses, rights or set-up is held.
 */
export function statusOutcome(answer: Answer): Outcome {
  const reason = describeAnswer(answer);
  if (answer.status >= 200 && answer.status < 300) return { kind: 'delivered' };
  switch (answer.status) {
    case 400:
    case 422:
      return { kind: 'refused', reason };
    case 406:
    case 415:
      return { kind: 'uncompressed', reason };
    case 413:
      return { kind: 'split', reason };
    case 408:
    case 425:
    case 429:
      return { kind: 'retry', reason };
    case 501:
    case 505:
      return { kind: 'hold', reason };
    default:
      return { kind: answer.status >= 500 ? 'retry' : 'hold', reason };
  }
}

/** The status, and the beginning of what the server said. */
export function describeAnswer({ status, text }: Answer): string {
  const said = text.replaceAll(/\s+/gu, ' ').trim();
  const quote = said.length > MAX_QUOTE ? `${said.slice(0, MAX_QUOTE)}…` : said;
  return `it answered ${status}${quote === '' ? '' : `: ${quote}`}`;
}

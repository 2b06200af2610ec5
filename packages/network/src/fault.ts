import { messageOf } from '@treeline/contract';
import type { Outcome } from './protocol.ts';

/** Codes of Node and OpenSSL for a certificate that is not trusted, expired, of another host, or missing on our side. */
const TLS_CODE =
  /^(CERT_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|EPROTO$)/;

/** A connection that the other side closes while it is idle: nobody is at fault, and the next one may do. */
const CLOSED_CODES = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** What a request that got no answer means. A PEM file that can't be read is held, too: the message names it. */
export function faultOutcome(error: unknown): Outcome {
  const code = codeOf(error);
  const message = reasonOf(error);
  const told = code === '' || message.includes(code) ? message : `${message} (${code})`;
  return TLS_CODE.test(code)
    ? { kind: 'hold', reason: `no secure connection: ${told}` }
    : { kind: 'retry', reason: told };
}

/** OpenSSL's messages begin with the address of a thread, and end with a place in its source. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && 'reason' in error && typeof error.reason === 'string') return error.reason;
  return messageOf(error).replaceAll(/\s+/gu, ' ').trim();
}

export function isClosedConnection(error: unknown): boolean {
  return CLOSED_CODES.has(codeOf(error));
}

/** The code of the innermost error that has one: undici wraps, and several addresses make an AggregateError. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { cause } = error;
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : cause;
  const own = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return (inner instanceof Error ? codeOf(inner) : '') || own;
}

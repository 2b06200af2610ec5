import { randomFillSync } from 'node:crypto';

/** Random bytes are fetched for many ids at once: a call for each costs more than the span's lines. */
const POOL_BYTES = 4096;

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;

const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/** A trace id by W3C: 32 lower-case hex digits, never all zero. */
export function newTraceId(): string {
  return newId(TRACE_ID_BYTES);
}

/** A span id by W3C: 16 lower-case hex digits, never all zero. */
export function newSpanId(): string {
  return newId(SPAN_ID_BYTES);
}

function newId(bytes: number): string {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const id = pool.toString('hex', used, used + bytes);
  used += bytes;
  return /[1-9a-f]/.test(id) ? id : newId(bytes);
}

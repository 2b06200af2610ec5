/** No server may silence a stream for longer. */
const MAX_MS = 600_000;

/**
 * How long a server asks to be left alone: seconds, or a date, which is read by the server's own clock (`date`) where it tells its time.
 * Undefined where it doesn't ask, or asks for nonsense. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function readRetryAfterMs(
  retryAfter: string | undefined,
  date: string | undefined,
  nowMs: number,
): number | undefined {
  if (retryAfter === undefined) return undefined;
  const text = retryAfter.trim();
  if (/^\d+$/.test(text)) return Math.min(MAX_MS, Number(text) * 1000);
  // What Date.parse makes of other texts depends on the engine.
  if (!/^[A-Z][a-z]{2,8}, .+ GMT$/.test(text)) return undefined;
  const serverMs = date === undefined ? Number.NaN : Date.parse(date);
  const waitMs = Date.parse(text) - (Number.isNaN(serverMs) ? nowMs : serverMs);
  return Number.isNaN(waitMs) ? undefined : Math.min(MAX_MS, Math.max(0, waitMs));
}

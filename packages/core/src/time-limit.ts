/** setTimeout's longest wait, less what we add to a limit ourselves. */
const MAX_LIMIT_MS = 2 ** 31 - 60_000;

/**
 * A time limit as timers take it: whole milliseconds, none below 0, what is left of a deadline that has passed included.
 *
 * @throws TypeError where it is no number.
 */
export function checkTimeLimit(timeoutMs: unknown): number {
  if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs))
    throw new TypeError(`timeoutMs must be a number of milliseconds; got ${String(timeoutMs)}`);
  return Math.min(MAX_LIMIT_MS, Math.max(0, Math.ceil(timeoutMs)));
}

/** So many rows are written alone within an interval; what comes faster is written together. */
const PROMPT_ROWS = 200;
const INTERVAL_MS = 50;

/**
 * Tells of each row whether it is to be written as it is found: a search may look for the next one for long. Rows that come so fast that
 * writing each alone would slow them down are not.
 */
export function createPace(nowMs: () => number): () => boolean {
  let rows = 0;
  let sinceMs = nowMs();
  return () => {
    if (nowMs() - sinceMs >= INTERVAL_MS) {
      rows = 0;
      sinceMs = nowMs();
    }
    return rows++ < PROMPT_ROWS;
  };
}

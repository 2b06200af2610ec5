/** How long one transaction may keep others from writing. */
const TARGET_MS = 15;

/** Takes the store in steps that keep within the target, and rests as long as each took: others write at least half of the time. */
export class Pacing {
  #size: number;
  readonly #max: number;

  constructor(first: number, max: number) {
    this.#size = first;
    this.#max = max;
  }

  async step<T>(work: (size: number) => T): Promise<T> {
    const beganMs = performance.now();
    const result = work(this.#size);
    const tookMs = performance.now() - beganMs;
    const factor = Math.min(2, Math.max(0.25, TARGET_MS / Math.max(tookMs, 0.1)));
    this.#size = Math.min(this.#max, Math.max(50, Math.round(this.#size * factor)));
    await sleep(tookMs);
    return result;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** A turn for others in this thread. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

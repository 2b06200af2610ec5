/** How long one transaction may keep others from writing. */
const TARGET_MS = 15;

/** Between two transactions where nobody else has written: a writer that waits for the lock gets it. */
const LEAST_REST_MS = 2;

/** So long after someone else has written they are taken to go on. */
const CONTENDED_MS = 2000;

const LEAST_SIZE = 50;

/** Takes the store in steps that keep within the target. While others write it rests as long as each step took: half of the time is theirs. */
export class Pacing {
  #size: number;
  readonly #max: number;
  readonly #version: () => number;
  #seenVersion: number;
  #contendedUntilMs = -Infinity;

  /** `version` changes when others have written. */
  constructor(first: number, max: number, version: () => number) {
    this.#size = first;
    this.#max = max;
    this.#version = version;
    this.#seenVersion = version();
  }

  async step<T>(work: (size: number) => T): Promise<T> {
    const beganMs = performance.now();
    const result = work(this.#size);
    const endMs = performance.now();
    const tookMs = endMs - beganMs;
    const factor = Math.min(2, Math.max(0.25, TARGET_MS / Math.max(tookMs, 0.1)));
    this.#size = Math.min(this.#max, Math.max(LEAST_SIZE, Math.round(this.#size * factor)));
    const version = this.#version();
    if (version !== this.#seenVersion) this.#contendedUntilMs = endMs + CONTENDED_MS;
    this.#seenVersion = version;
    await sleep(endMs < this.#contendedUntilMs ? Math.max(tookMs, LEAST_REST_MS) : LEAST_REST_MS);
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

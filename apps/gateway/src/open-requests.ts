/** Counts what a server has not finished with: requests, and the work for them that may outlast their connection. */
export class OpenRequests {
  #open = 0;
  #onceIdle: (() => void) | undefined;

  /** Returns the function that ends what begins now. */
  begin(): () => void {
    this.#open += 1;
    return () => {
      this.#open -= 1;
      if (this.#open === 0) this.#onceIdle?.();
    };
  }

  /** Resolves when nothing is open, or when the time is over. */
  async idle(timeoutMs: number): Promise<void> {
    if (this.#open === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onceIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

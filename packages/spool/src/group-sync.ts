/** Runs one sync at a time; all calls that come while one is under way share the next, since they need what it does not cover. */
export class GroupSync {
  readonly #sync: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /** Resolves when a sync that began after the call is done; rejects as that one did. */
  run(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#start();
    this.#next = this.#startAfter(this.#running);
    return this.#next;
  }

  async #startAfter(running: Promise<void>): Promise<void> {
    // What the one before met is told to its own callers.
    await running.catch(() => {});
    this.#next = undefined;
    return this.#start();
  }

  #start(): Promise<void> {
    const running = this.#sync().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }
}

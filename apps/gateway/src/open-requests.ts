import type { ServerResponse } from 'node:http';

/** The requests that a server has not finished with. */
export class OpenRequests {
  readonly #open = new Set<ServerResponse>();
  #onceIdle: (() => void) | undefined;

  add(response: ServerResponse): void {
    this.#open.add(response);
    response.once('close', () => {
      this.#open.delete(response);
      if (this.#open.size === 0) this.#onceIdle?.();
    });
  }

  /** Resolves when none is open, or when the time is over. */
  async idle(timeoutMs: number): Promise<void> {
    if (this.#open.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onceIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

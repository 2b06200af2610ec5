/** What a signal tells when a sense has come to another value. */
export interface Change {
  readonly value: unknown;
  /** Undefined the first time. */
  readonly previous: unknown;
}

export type ChangeListener = (change: Change) => void;

/**
 * The one thing that can trigger a reflex. Only a sense has the other end of it (`openSignal`), and nothing of a log store is one: its
 * private field can't be imitated, neither for the compiler nor at run time.
 */
export class Signal {
  readonly name: string;
  readonly #listeners = new Set<ChangeListener>();

  private constructor(name: string) {
    this.name = name;
  }

  static open(name: string): { readonly signal: Signal; readonly emit: ChangeListener } {
    const signal = new Signal(name);
    return {
      signal,
      emit: (change) => {
        for (const listener of signal.#listeners) listener(change);
      },
    };
  }

  static isSignal(thing: unknown): thing is Signal {
    return typeof thing === 'object' && thing !== null && #listeners in thing;
  }

  /** Returns a function that ends it. */
  subscribe(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

import { detached } from './detached.ts';

/** A key that lines of the log have. */
export interface KnownKey {
  readonly text: string;
  /** As pino writes it, `"key":`; undefined where it takes escapes or characters beyond ASCII. */
  readonly quoted: string | undefined;
  /** What the key means to whoever reads the line; undefined for one that means nothing. */
  readonly role: number | undefined;
  /** The key that came behind this one the last time. */
  next: KnownKey | undefined;
  /** The key as it is printed, once that has been made. */
  label: string | undefined;
}

/** Stands where there is no key. */
export const NO_KEY: KnownKey = { text: '', quoted: undefined, role: undefined, next: undefined, label: '' };

/** What is remembered of keys: not all that a hostile log may hold. */
const MAX_KEYS = 1000;
const MAX_KEY_LENGTH = 100;

/**
 * The keys that a log has shown so far. One logger's lines hold the same keys in the same order, so the next one can be guessed and
 * compared in place: cutting it out and looking it up would be a quarter of the time that a line takes.
 */
export class KnownKeys {
  /** Stands before a line's first key. */
  readonly start: KnownKey = { ...NO_KEY };
  readonly #roles: ReadonlyMap<string, number>;
  readonly #keys = new Map<string, KnownKey>();

  constructor(roles: ReadonlyMap<string, number>) {
    this.#roles = roles;
  }

  /** The key with this text, which came behind `before`; `isPlain` where it is printable ASCII without escapes. */
  find(text: string, isPlain: boolean, before: KnownKey): KnownKey {
    const known = this.#keys.get(text);
    if (known) {
      before.next = known;
      return known;
    }
    const isKept = this.#keys.size < MAX_KEYS && text.length <= MAX_KEY_LENGTH;
    const own = isKept ? detached(text) : text;
    const key: KnownKey = {
      text: own,
      quoted: isPlain ? `"${own}":` : undefined,
      role: this.#roles.get(text),
      next: undefined,
      label: undefined,
    };
    if (isKept) {
      this.#keys.set(own, key);
      before.next = key;
    }
    return key;
  }
}

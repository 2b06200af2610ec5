/** A map that knows its oldest entry at once: a Map's own iterator walks over all that were deleted since it last grew. */
export class Aging<Value> {
  readonly #map = new Map<string, Value>();
  #keys = this.#map.keys();
  #oldestKey: string | undefined;

  get size(): number {
    return this.#map.size;
  }

  get(key: string): Value | undefined {
    return this.#map.get(key);
  }

  set(key: string, value: Value): void {
    this.#map.set(key, value);
  }

  delete(key: string): void {
    this.#map.delete(key);
    if (key === this.#oldestKey) this.#oldestKey = undefined;
  }

  /** Makes an entry the youngest. */
  renew(key: string, value: Value): void {
    this.delete(key);
    this.set(key, value);
  }

  oldest(): Value | undefined {
    if (this.#oldestKey === undefined) {
      let next = this.#keys.next();
      if (next.done) {
        this.#keys = this.#map.keys();
        next = this.#keys.next();
      }
      if (next.done) return undefined;
      this.#oldestKey = next.value;
    }
    return this.#map.get(this.#oldestKey);
  }

  values(): Value[] {
    return [...this.#map.values()];
  }
}

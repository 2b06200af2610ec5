interface Entry<Value> {
  readonly key: string;
  readonly value: Value;
  older: Entry<Value> | undefined;
  younger: Entry<Value> | undefined;
}

/**
 * A map that knows its oldest entry at once. The first key that a Map's iterator gives is no way to it: a new iterator walks over all
 * that were deleted since the Map last grew, and one that is kept keeps every table that the Map has had since.
 */
export class Aging<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  #oldest: Entry<Value> | undefined;
  #youngest: Entry<Value> | undefined;

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Puts a value in as the youngest. */
  set(key: string, value: Value): void {
    this.delete(key);
    const entry: Entry<Value> = { key, value, older: undefined, younger: undefined };
    this.#entries.set(key, entry);
    this.#append(entry);
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#unlink(entry);
  }

  /** Makes an entry the youngest. */
  renew(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry || entry === this.#youngest) return;
    this.#unlink(entry);
    this.#append(entry);
  }

  oldest(): Value | undefined {
    return this.#oldest?.value;
  }

  /** From the oldest to the youngest. */
  values(): Value[] {
    const values: Value[] = [];
    for (let entry = this.#oldest; entry; entry = entry.younger) values.push(entry.value);
    return values;
  }

  #append(entry: Entry<Value>): void {
    entry.older = this.#youngest;
    entry.younger = undefined;
    if (this.#youngest) this.#youngest.younger = entry;
    else this.#oldest = entry;
    this.#youngest = entry;
  }

  #unlink({ older, younger }: Entry<Value>): void {
    if (older) older.younger = younger;
    else this.#oldest = younger;
    if (younger) younger.older = older;
    else this.#youngest = older;
  }
}

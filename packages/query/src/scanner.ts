import { QueryError } from './query-error.ts';

/** What ends a bare word, whatever stands around it. */
const WORD_END = /[\s()|",]/;

/** A query text and how far it has been read. */
export class Scanner {
  readonly text: string;
  #at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get at(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at >= this.text.length;
  }

  moveTo(offset: number): void {
    this.#at = offset;
  }

  skipSpace(): void {
    while (!this.done && /\s/.test(this.#char())) this.#at++;
  }

  peek(length = 1): string {
    return this.text.slice(this.#at, this.#at + length);
  }

  /** Reads exactly this, if it stands here. */
  take(word: string): boolean {
    if (!this.text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  /** Reads what a sticky expression matches here. */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  /** Reads up to a space, a bracket, a bar, a comma, a quote or `&&`. */
  word(): string {
    const start = this.#at;
    while (!this.done && !WORD_END.test(this.#char()) && this.peek(2) !== '&&') this.#at++;
    return this.text.slice(start, this.#at);
  }

  /** Reads a text in double quotes. */
  quoted(): string {
    const start = this.#at++;
    let value = '';
    for (;;) {
      if (this.done) this.fail('the quote is never closed', start, this.text.length);
      const char = this.#char();
      this.#at++;
      if (char === '"') return value;
      value += char === '\\' ? this.#escape() : char;
    }
  }

  #escape(): string {
    const start = this.#at - 1;
    const char = this.peek();
    this.#at++;
    const simple = { '"': '"', '\\': '\\', '/': '/', n: '\n', r: '\r', t: '\t' }[char];
    if (simple !== undefined) return simple;
    const code = char === 'u' ? this.match(/[0-9a-fA-F]{4}/y) : undefined;
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    return this.fail(
      `${JSON.stringify(`\\${char}`)} is no escape`,
      start,
      this.#at,
      'known: \\" \\\\ \\/ \\n \\r \\t \\u0000; write \\\\ for a backslash',
    );
  }

  /** A word that ends at a bracket or a quote would be read as two conditions, which nobody meant. */
  expectBoundary(start: number): void {
    if (this.done || /[\s)|&]/.test(this.peek())) return;
    const char = this.peek();
    const suggestion =
      char === ','
        ? 'a list stands behind ":", as in level:error,fatal; or quote the text'
        : 'quote the text';
    this.fail(
      `unexpected ${JSON.stringify(char)} after ${this.text.slice(start, this.#at)}`,
      this.#at,
      this.#at + 1,
      suggestion,
    );
  }

  #char(): string {
    return this.text.charAt(this.#at);
  }

  fail(reason: string, start = this.#at, end = start + 1, suggestion?: string): never {
    throw new QueryError(reason, { start, end }, suggestion);
  }
}

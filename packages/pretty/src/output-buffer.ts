/** Encodes texts into one buffer that is used again: a buffer for each would be most of the memory that the printer needs. */
export class OutputBuffer {
  #buffer = Buffer.allocUnsafe(0);

  /** The text's bytes, valid until the next call. */
  encode(text: string): Buffer {
    // No UTF-16 unit takes more than three bytes.
    const most = text.length * 3;
    if (this.#buffer.length < most) this.#buffer = Buffer.allocUnsafeSlow(most);
    return this.#buffer.subarray(0, this.#buffer.write(text));
  }
}

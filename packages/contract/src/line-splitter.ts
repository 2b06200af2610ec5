const LINE_FEED = 10;

/** Cuts a byte stream whose chunks end anywhere into runs of complete lines. Empty lines are left out. */
export class LineSplitter {
  readonly #maxLineBytes: number;
  #rest: Buffer[] = [];
  #restBytes = 0;
  /** Lines that were cut at `maxLineBytes`. */
  truncatedLines = 0;

  constructor(maxLineBytes = 16 * 1024 * 1024) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** The lines that are complete with this chunk, each ended by a line feed, or undefined. */
  push(chunk: Buffer): Buffer | undefined {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end === 0) {
      this.#keep(chunk);
      return undefined;
    }
    const lines =
      this.#rest.length > 0 ? Buffer.concat([...this.#rest, chunk.subarray(0, end)]) : chunk.subarray(0, end);
    this.#rest = [];
    this.#restBytes = 0;
    this.#keep(chunk.subarray(end));
    return withoutEmptyLines(lines);
  }

  /** What is left at the end of input, as a line. */
  end(): Buffer | undefined {
    const rest = this.#rest;
    this.#rest = [];
    this.#restBytes = 0;
    return rest.length > 0 ? withoutEmptyLines(Buffer.concat([...rest, Buffer.from('\n')])) : undefined;
  }

  #keep(bytes: Buffer): void {
    const room = this.#maxLineBytes - this.#restBytes;
    if (bytes.length === 0 || room < 0) return;
    if (bytes.length > room) this.truncatedLines++;
    const kept = bytes.subarray(0, room);
    this.#rest.push(kept);
    this.#restBytes += bytes.length > room ? Infinity : kept.length;
  }
}

function withoutEmptyLines(lines: Buffer): Buffer | undefined {
  if (lines[0] !== LINE_FEED && !lines.includes('\n\n')) return lines;
  const kept = lines
    .toString('latin1')
    .replace(/\n{2,}/g, '\n')
    .replace(/^\n/, '');
  return kept === '' ? undefined : Buffer.from(kept, 'latin1');
}

const LINE_FEED = 10;
const EMPTY_LINE = Buffer.from('\n\n');
const LINE_END = Buffer.from('\n');

/** Far above what any logger writes, far below what would harm a process: longer lines are cut, and counted. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

/**
 * Cuts a byte stream whose chunks end anywhere into runs of complete lines; the lines are the same wherever the chunks end. Empty lines are
 * left out. A chunk is kept, not copied, until its last line is complete: it must not be written to again.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  /** The beginning of a line whose end has not come yet, at most `maxLineBytes` of it. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  #truncating = false;
  #truncatedLines = 0;

  constructor(maxLineBytes = MAX_LINE_BYTES) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Lines of which only the first `maxLineBytes` were kept. */
  get truncatedLines(): number {
    return this.#truncatedLines;
  }

  /** The lines that are complete with this chunk, each ended by a line feed, or undefined. */
  push(chunk: Buffer): Buffer | undefined {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end === 0) {
      this.#keep(chunk);
      return undefined;
    }
    const complete = chunk.subarray(0, end);
    const lines = this.#rest.length > 0 ? this.#completeRest(complete) : this.#limited(complete);
    this.#keep(chunk.subarray(end));
    return withoutEmptyLines(lines);
  }

  /** What is left at the end of input, as a line. */
  end(): Buffer | undefined {
    if (this.#rest.length === 0) return undefined;
    return withoutEmptyLines(this.#completeRest(LINE_END));
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const room = this.#maxLineBytes - this.#restBytes;
    if (bytes.length > room) this.#truncating = true;
    if (room === 0) return;
    const kept = bytes.subarray(0, room);
    this.#rest.push(kept);
    this.#restBytes += kept.length;
  }

  /** Puts the kept beginning before the first of `lines`. */
  #completeRest(lines: Buffer): Buffer {
    const firstEnd = lines.indexOf(LINE_FEED);
    this.#keep(lines.subarray(0, firstEnd));
    if (this.#truncating) this.#truncatedLines++;
    const whole = Buffer.concat([...this.#rest, this.#limited(lines.subarray(firstEnd))]);
    this.#rest = [];
    this.#restBytes = 0;
    this.#truncating = false;
    return whole;
  }

  #limited(lines: Buffer): Buffer {
    // No line in a run that is shorter than the limit can be over it.
    if (lines.length <= this.#maxLineBytes) return lines;
    const kept: Buffer[] = [];
    for (let start = 0; start < lines.length;) {
      const end = lines.indexOf(LINE_FEED, start);
      if (end - start > this.#maxLineBytes) {
        this.#truncatedLines++;
        kept.push(lines.subarray(start, start + this.#maxLineBytes), LINE_END);
      } else {
        kept.push(lines.subarray(start, end + 1));
      }
      start = end + 1;
    }
    return Buffer.concat(kept);
  }
}

function withoutEmptyLines(lines: Buffer): Buffer | undefined {
  if (lines[0] !== LINE_FEED && !lines.includes(EMPTY_LINE)) return lines;
  const kept = lines
    .toString('latin1')
    .replace(/\n{2,}/g, '\n')
    .replace(/^\n/, '');
  return kept === '' ? undefined : Buffer.from(kept, 'latin1');
}

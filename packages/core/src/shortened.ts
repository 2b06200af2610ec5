/** How much of the message of a line that is too long is kept. */
const KEPT_CHARS = 64 * 1024;

/**
 * The line that stands for one that is too long: its level and time, the beginning of its text, and how long it was, as valid JSON.
 */
export function shortened(line: string, maxChars: number): string {
  const prefix = prefixOf(line);
  const begin = JSON.stringify(line.slice(0, KEPT_CHARS));
  return `${prefix},"truncated":{"chars":${line.length},"maxChars":${maxChars},"begin":${begin}},"msg":"a line was too long and is cut"}\n`;
}

/**
 * The line, without its line feed, that stands for one that a stage can't handle: its level and time, and nothing of its text, which
 * was to be masked, maybe.
 */
export function replaced(line: string): string {
  return `${prefixOf(line)},"replaced":{"chars":${line.length}},"msg":"a line could not be processed and is replaced"}`;
}

function prefixOf(line: string): string {
  return /^\{"level":\d+(?:,"time":\d+)?/.exec(line)?.[0] ?? '{"level":30';
}

/** How much of the message of a line that is too long is kept. */
const KEPT_CHARS = 64 * 1024;

/**
 * The line that stands for one that is too long: its level and time, the beginning of its text, and how long it was, as valid JSON.
 */
export function shortened(line: string, maxChars: number): string {
  const prefix = /^\{"level":\d+(?:,"time":\d+)?/.exec(line)?.[0] ?? '{"level":30';
  const begin = JSON.stringify(line.slice(0, KEPT_CHARS));
  return `${prefix},"truncated":{"chars":${line.length},"maxChars":${maxChars},"begin":${begin}},"msg":"a line was too long and is cut"}\n`;
}

const PREFIX = Buffer.from('{"level":');
const TIME_KEY = Buffer.from(',"time":');
const ZERO = 0x30;
const COMMA = 0x2c;
const CLOSING_BRACE = 0x7d;

/** What pino writes first on every line, read without parsing. */
export interface LinePrefix {
  readonly level: number;
  readonly time: number | undefined;
}

/** Reads `{"level":30` at an offset; -1 where the line does not begin so. */
export function readPrefixLevel(bytes: Buffer, start: number): number {
  return startsWith(bytes, PREFIX, start) ? readInteger(bytes, start + PREFIX.length) : -1;
}

/** Reads `{"level":30,"time":1760000000000` at an offset, or undefined where the line does not begin with a level. */
export function readPrefix(bytes: Buffer, start: number): LinePrefix | undefined {
  const level = readPrefixLevel(bytes, start);
  if (level < 0) return undefined;
  const timeKey = endOfDigits(bytes, start + PREFIX.length);
  const time = startsWith(bytes, TIME_KEY, timeKey) ? readInteger(bytes, timeKey + TIME_KEY.length) : -1;
  return { level, time: time < 0 ? undefined : time };
}

function startsWith(bytes: Buffer, text: Buffer, at: number): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  return true;
}

/** An unsigned integer that a comma or the object's end follows, else -1. Allocates nothing: it runs for every line. */
function readInteger(bytes: Buffer, start: number): number {
  const end = endOfDigits(bytes, start);
  const next = bytes[end];
  if (end === start || (next !== COMMA && next !== CLOSING_BRACE)) return -1;
  let value = 0;
  for (let at = start; at < end; at++) value = value * 10 + (bytes[at] ?? ZERO) - ZERO;
  return value;
}

function endOfDigits(bytes: Buffer, start: number): number {
  let at = start;
  for (let byte = bytes[at] ?? 0; byte >= ZERO && byte <= ZERO + 9; byte = bytes[++at] ?? 0);
  return at;
}

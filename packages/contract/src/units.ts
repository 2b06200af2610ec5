type SizeUnit = 'B' | 'K' | 'M' | 'G' | 'T';
type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd' | 'w';

/** A size as options accept it: bytes, or a number with a 1024-based unit (`"10M"`). */
export type Size = number | `${number}${SizeUnit}`;

/** A duration as options accept it: milliseconds, or a number with a unit (`"1d"`). */
export type Duration = number | `${number}${DurationUnit}`;

const BYTES: Record<string, number> = { '': 1, B: 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

const MILLISECONDS: Record<string, number> = {
  '': 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Turns a size into bytes. Units are 1024-based and accepted in either case, with or without a `B` behind (`10M`, `10mb`).
 *
 * @throws RangeError where it is no size.
 */
export function parseBytes(value: number | string): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*([BKMGT]?)B?$/i.exec(value.trim()) : null;
  const bytes = match
    ? Math.round(Number(match[1]) * (BYTES[(match[2] ?? '').toUpperCase()] ?? Number.NaN))
    : value;
  return checked(bytes, value, 'size must be a number of bytes or a text like "64K", "10M", "2G"');
}

/**
 * Turns a duration into milliseconds.
 *
 * @throws RangeError where it is no duration.
 */
export function parseDuration(value: number | string): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(ms|[smhdw]?)$/.exec(value.trim()) : null;
  const ms = match ? Number(match[1]) * (MILLISECONDS[match[2] ?? ''] ?? Number.NaN) : value;
  return checked(ms, value, 'duration must be a number of milliseconds or a text like "250ms", "5s", "1d"');
}

function checked(parsed: unknown, given: unknown, rule: string): number {
  if (typeof parsed === 'number' && parsed >= 0 && parsed <= Number.MAX_SAFE_INTEGER) return parsed;
  throw new RangeError(`${rule}; got ${JSON.stringify(given)}`);
}

/** Prints bytes for people: `1536` is `1.5K`. */
export function formatBytes(bytes: number): string {
  return formatIn(bytes, [
    ['T', 1024 ** 4],
    ['G', 1024 ** 3],
    ['M', 1024 ** 2],
    ['K', 1024],
    ['B', 1],
  ]);
}

/** Prints milliseconds for people: `90000` is `1.5m`. */
export function formatDuration(ms: number): string {
  return formatIn(ms, [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ]);
}

function formatIn(value: number, units: readonly (readonly [string, number])[]): string {
  const [unit, size] = units.find(([, unitSize]) => value >= unitSize) ?? units.at(-1) ?? ['', 1];
  return `${Number((value / size).toFixed(1))}${unit}`;
}

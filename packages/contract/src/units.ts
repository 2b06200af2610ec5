import { inspect } from 'node:util';
import { messageOf } from './errors.ts';

const BYTES = { T: 1024 ** 4, G: 1024 ** 3, M: 1024 ** 2, K: 1024, B: 1 } as const;
const MILLISECONDS = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

/** A size as options accept it: bytes, or a number with a 1024-based unit (`"10M"`). */
export type Size = number | `${number}${keyof typeof BYTES}`;

/** A duration as options accept it: milliseconds, or a number with a unit (`"1d"`). */
export type Duration = number | `${number}${keyof typeof MILLISECONDS}`;

/**
 * Turns a size into whole bytes. Units are 1024-based and accepted in either case, with or without a `B` behind (`10M`, `10mb`).
 *
 * @throws RangeError where it is no size.
 */
export function parseBytes(value: number | string): number {
  const match =
    typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(?:([KMGT])B?|B)?$/i.exec(value.trim()) : null;
  const unit = (match?.[2] ?? 'B').toUpperCase() as keyof typeof BYTES;
  const bytes = match ? Number(match[1]) * BYTES[unit] : value;
  return Math.round(
    checked(bytes, value, 'size must be a number of bytes or a text like "64K", "10M", "2G"'),
  );
}

/**
 * Turns a duration into milliseconds.
 *
 * @throws RangeError where it is no duration.
 */
export function parseDuration(value: number | string): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(ms|[smhdw])?$/.exec(value.trim()) : null;
  const unit = (match?.[2] ?? 'ms') as keyof typeof MILLISECONDS;
  const ms = match ? Number(match[1]) * MILLISECONDS[unit] : value;
  return checked(ms, value, 'duration must be a number of milliseconds or a text like "250ms", "5s", "1d"');
}

/** What valibot's `rawTransform` hands to its action; by shape, since contract depends on no schema library. */
interface TransformContext {
  readonly dataset: { readonly value: number | string };
  readonly addIssue: (issue: { message: string }) => void;
  readonly NEVER: never;
}

/** A parser of options as the action of valibot's `rawTransform`: what the parser throws becomes the issue's message. */
export function parserAction<Out>(
  parse: (value: number | string) => Out,
): (context: TransformContext) => Out {
  return ({ dataset, addIssue, NEVER }) => {
    try {
      return parse(dataset.value);
    } catch (error) {
      addIssue({ message: messageOf(error) });
      return NEVER;
    }
  };
}

function checked(parsed: unknown, given: unknown, rule: string): number {
  if (typeof parsed === 'number' && parsed >= 0 && parsed <= Number.MAX_SAFE_INTEGER) return parsed;
  const shown = typeof given === 'string' ? JSON.stringify(given.slice(0, 80)) : inspect(given, { depth: 0 });
  throw new RangeError(`${rule}; got ${shown}`);
}

/** Prints bytes for people: `1536` is `1.5K`. */
export function formatBytes(bytes: number): string {
  return formatIn(bytes, BYTES);
}

/** Prints milliseconds for people, in weeks never: `90000` is `1.5m`. */
export function formatDuration(ms: number): string {
  const { w: _weeks, ...units } = MILLISECONDS;
  return formatIn(ms, units);
}

/** In the largest unit of which there is one at least, rounding included: `1023.99K` is `1M`. */
function formatIn(value: number, units: Record<string, number>): string {
  let larger: string | undefined;
  let largerSize = Infinity;
  for (const [unit, size] of Object.entries(units)) {
    const amount = Number((value / size).toFixed(1));
    if (larger !== undefined && amount * size >= largerSize) return `1${larger}`;
    if (value >= size || size === 1) return `${amount}${unit}`;
    larger = unit;
    largerSize = size;
  }
  return String(value);
}

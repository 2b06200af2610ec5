import { LEVEL_NAMES, parseLevel } from '@treeline/contract';
import { InvalidArgumentError } from 'commander';

/** Parsers of option values. Each throws commander's error, which names the option and ends with exit 2. */

/** A level by name or number. */
export function parseLevelOption(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  const name = text.toLowerCase();
  if (name !== 'silent' && (LEVEL_NAMES as readonly string[]).includes(name)) return parseLevel(name);
  throw new InvalidArgumentError(
    `It must be one of ${LEVEL_NAMES.filter((known) => known !== 'silent').join(', ')}, or a number.`,
  );
}

/** How many rows: a whole number from 1, or `all`. */
export function parseLimitOption(text: string): number {
  if (text === 'all') return Infinity;
  if (/^\d{1,12}$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1, or "all".');
}

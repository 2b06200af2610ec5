/** pino's level names and numbers, least first. */
export const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const;

export type LevelName = keyof typeof LEVELS;

/** Every name that an option may have, for messages: the six levels, and `silent` to shut a logger or a stream. */
export const LEVEL_NAMES: readonly (LevelName | 'silent')[] = [
  ...(Object.keys(LEVELS) as LevelName[]),
  'silent',
];

/** What a line without a readable level counts as. */
export const DEFAULT_LEVEL: number = LEVELS.info;

const NAMES_BY_NUMBER = new Map<number, LevelName>(
  Object.entries(LEVELS).map(([name, number]) => [number, name as LevelName]),
);

/**
 * Turns a level name into its number; `silent` is `Infinity`.
 *
 * @throws RangeError for any other word.
 */
export function parseLevel(name: string): number {
  if (name === 'silent') return Infinity;
  if (Object.hasOwn(LEVELS, name)) return LEVELS[name as LevelName];
  throw new RangeError(`level must be one of ${LEVEL_NAMES.join(', ')}; got ${JSON.stringify(name)}`);
}

/** The name of a level number, or the number as text where it is none of ours (a custom level). */
export function formatLevel(level: number): string {
  return NAMES_BY_NUMBER.get(level) ?? String(level);
}

/** Reads a record's `level` value: a number as it is, a name in any case; anything else is undefined. */
export function readLevel(value: unknown): number | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value !== 'string') return undefined;
  const name = value.toLowerCase();
  return Object.hasOwn(LEVELS, name) ? LEVELS[name as LevelName] : undefined;
}

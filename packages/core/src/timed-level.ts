import { parseDuration, parseLevel, type LevelName } from '@treeline/contract';

type Level = LevelName | 'silent';

export interface SetLevelOptions {
  /** How long the level holds: milliseconds, or a text such as `"10m"`. Without it, until something else sets it. */
  readonly for?: number | string;
}

/** setTimeout's longest wait. */
const MAX_FOR_MS = 2 ** 31 - 1;

/** A root level that holds for a time. */
export class TimedLevel {
  readonly #root: { level: string };
  /** What holds when the time is over: the config's level, or one that the program set for good. */
  #base: Level;
  #timer: NodeJS.Timeout | undefined;
  #override: { readonly level: Level; readonly untilMs: number } | undefined;

  constructor(root: { level: string }, level: Level) {
    this.#root = root;
    this.#base = level;
  }

  /** What stands in the stats while a level holds for a time. */
  get stats(): { readonly levelOverride?: { readonly level: Level; readonly until: number } } {
    const { level, untilMs } = this.#override ?? {};
    return level === undefined || untilMs === undefined ? {} : { levelOverride: { level, until: untilMs } };
  }

  set(level: Level, options: SetLevelOptions = {}): void {
    parseLevel(level);
    const forMs = options.for === undefined ? undefined : readTime(options.for);
    // A level that the program has set by itself is what comes back.
    if (!this.#override) this.#base = this.#root.level as Level;
    this.#clear();
    this.#root.level = level;
    if (forMs === undefined) {
      this.#base = level;
      return;
    }
    this.#override = { level, untilMs: Date.now() + forMs };
    this.#timer = setTimeout(() => this.end(), forMs).unref();
  }

  /** The root level under a config that says this one: a level that holds for a time goes on. */
  over(level: Level): Level {
    return this.#override?.level ?? level;
  }

  /** The config says another level: it comes back later, or holds at once. */
  rebase(level: Level): void {
    this.#base = level;
    this.#root.level = this.over(level);
  }

  /** Gives the level back now. */
  end(): void {
    if (!this.#override) return;
    // One that was set meanwhile, by `logger.level = …`, stays.
    const isOurs = this.#root.level === this.#override.level;
    this.#clear();
    if (isOurs) this.#root.level = this.#base;
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#override = undefined;
  }
}

function readTime(value: number | string): number {
  let ms: number;
  try {
    ms = parseDuration(value);
  } catch {
    ms = Number.NaN;
  }
  if (!(ms > 0 && ms <= MAX_FOR_MS))
    throw new RangeError(`for must be a time up to 24 days, such as "10m"; got ${JSON.stringify(value)}`);
  return ms;
}

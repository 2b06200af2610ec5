import { formatLevel, parseLevel, type LevelName } from '@treeline/contract';
import type { LevelDirective } from '@treeline/query/directives';
import type { Logger } from 'pino';
import { requireBuilt } from '../built-file.ts';
import type { PipelineConfig } from '../config/config.ts';
import { levelValSym, setLevelSym } from '../pino-symbols.ts';
import type { DirectiveLevels } from './directive-levels.ts';

/** The part of a config that says what is logged. */
export type LevelSettings = Pick<PipelineConfig, 'enabled' | 'level' | 'directives' | 'streams'>;

const OWN_LEVEL = Symbol('treeline.ownLevel');

interface LeveledLogger extends Logger {
  /** The number of the level that the program has given this child, or a logger above it. */
  [OWN_LEVEL]?: number;
  [setLevelSym](level: string | number): void;
}

/**
 * The levels of a logger and its children: the root level, levels that the program gives to children, and directives, which win over
 * both where they name their target. pino's own level is the least that could pass; where directives lower it, each call is asked.
 */
export class LevelControl {
  /** Changes with the directives. */
  generation = 0;
  /** Whether a line is to be written where the calling code is: spans, too, decide it. */
  admitsHere: (logger: Logger, level: number) => boolean = (logger, level) => this.admits(logger, level);
  readonly #root: LeveledLogger;
  readonly #changed: (rootLevel: LevelName | 'silent') => void;
  /** Children with levels of their own: pino cuts these off from their parent's. */
  readonly #ownLevels = new Set<WeakRef<LeveledLogger>>();
  readonly #collected = new FinalizationRegistry<WeakRef<LeveledLogger>>((ref) =>
    this.#ownLevels.delete(ref),
  );
  #settings: LevelSettings;
  #rootLevel: number;
  #gate = 0;
  /** While the start-up buffer holds, everything is let through that might be wanted in the end. */
  #heldLevel: number | undefined;
  #directives: DirectiveLevels | undefined;

  constructor(root: Logger, settings: LevelSettings, changed: (rootLevel: LevelName | 'silent') => void) {
    this.#root = root as LeveledLogger;
    this.#settings = settings;
    this.#changed = changed;
    this.#rootLevel = parseLevel(settings.level);
    defineLevel(this.#root, this);
    this.#apply();
  }

  /** Whether each log call has to be asked for: pino's levels alone can't decide. */
  get isDynamic(): boolean {
    return this.#directives !== undefined;
  }

  get rootLevel(): number {
    return this.#rootLevel;
  }

  /** Streams and children without a level of their own follow. */
  setRootLevel(level: number): void {
    this.#rootLevel = level;
    this.#apply();
  }

  /** Gives a child a level; a directive that names it wins all the same. */
  setOwnLevel(child: Logger, level: number): void {
    const logger = child as LeveledLogger;
    if (!Object.hasOwn(logger, levelValSym)) logger[setLevelSym](nameIn(logger, level));
    this.#keepOwnLevel(logger, level);
  }

  /** Takes new levels and directives over, and a root level (default: that of the settings); existing children follow. */
  applyLevels(settings: LevelSettings, rootLevel = parseLevel(settings.level)): void {
    this.#settings = settings;
    this.#rootLevel = rootLevel;
    this.#apply();
  }

  /** To be called for each child that pino makes. */
  adopt(child: Logger): void {
    const logger = child as LeveledLogger;
    if (Object.hasOwn(logger, levelValSym)) this.#keepOwnLevel(logger, logger.levelVal);
  }

  /** Lets everything from a level on through, whatever the settings say, until it is called without one. */
  hold(level: number | undefined): void {
    this.#heldLevel = level;
    this.#setPinoLevels();
  }

  /** Whether a logger's line of this level is to be written, inside spans for which these directives hold. */
  admits(logger: Logger, level: number, inSpan?: readonly LevelDirective[]): boolean {
    return level >= (this.#heldLevel ?? this.threshold(logger, inSpan));
  }

  threshold(logger: Logger, inSpan?: readonly LevelDirective[]): number {
    const directives = this.#directives;
    if (!directives) return this.#staticLevel(logger);
    if (inSpan && inSpan.length > 0) {
      const level = directives.inSpan(logger, inSpan);
      if (level !== undefined) return level;
    }
    return directives.forLogger(logger)?.level ?? this.#staticLevel(logger);
  }

  /** Those that hold inside a span of this name. */
  directivesFor(name: string, attrs: Readonly<Record<string, unknown>>): readonly LevelDirective[] {
    return this.#directives?.forSpan(name, attrs) ?? [];
  }

  #staticLevel(logger: Logger): number {
    return (logger as LeveledLogger)[OWN_LEVEL] ?? this.#gate;
  }

  #apply(): void {
    const { directives, enabled, streams } = this.#settings;
    this.generation++;
    this.#directives =
      directives.length > 0 && enabled ? makeDirectives(directives, this.generation) : undefined;
    this.#gate = Math.min(
      ...(enabled ? streams : []).map((stream) => stream.level ?? this.#rootLevel),
      Infinity,
    );
    this.#setPinoLevels();
    this.#changed(levelName(this.#rootLevel));
  }

  #setPinoLevels(): void {
    this.#setPinoLevel(this.#root, this.#gate);
    for (const ref of this.#ownLevels) {
      const logger = ref.deref();
      if (logger) this.#setPinoLevel(logger, logger[OWN_LEVEL] ?? this.#gate);
    }
  }

  #setPinoLevel(logger: LeveledLogger, level: number): void {
    const least = Math.min(level, this.#directives?.leastLevel ?? Infinity, this.#heldLevel ?? Infinity);
    if (logger.levelVal !== least) logger[setLevelSym](least === Infinity ? 'silent' : nameIn(logger, least));
  }

  #keepOwnLevel(logger: LeveledLogger, level: number): void {
    if (!Object.hasOwn(logger, OWN_LEVEL)) {
      const ref = new WeakRef(logger);
      this.#ownLevels.add(ref);
      this.#collected.register(logger, ref);
    }
    Object.defineProperty(logger, OWN_LEVEL, { value: level, configurable: true });
    this.#setPinoLevel(logger, level);
  }
}

/** Makes `logger.level` what the program sees and sets: the root level, and for children what decides for them. */
function defineLevel(root: LeveledLogger, control: LevelControl): void {
  Object.defineProperty(root, 'level', {
    configurable: true,
    get(this: LeveledLogger): string {
      const level = this === root ? control.rootLevel : control.threshold(this);
      return level === Infinity ? 'silent' : nameIn(this, level);
    },
    set(this: LeveledLogger, level: string) {
      const number = this.levels.values[level] ?? parseLevel(level);
      if (this === root) control.setRootLevel(number);
      else control.setOwnLevel(this, number);
    },
  });
  root.isLevelEnabled = function isLevelEnabled(this: Logger, level: string): boolean {
    const number = this.levels.values[level];
    return number !== undefined && control.admitsHere(this, number);
  };
}

function nameIn(logger: Logger, level: number): string {
  return logger.levels.labels[level] ?? formatLevel(level);
}

function levelName(level: number): LevelName | 'silent' {
  return level === Infinity ? 'silent' : (formatLevel(level) as LevelName);
}

function makeDirectives(directives: readonly LevelDirective[], generation: number): DirectiveLevels {
  const loaded = requireBuilt('levels/loader.js') as typeof import('./loader.ts');
  return new loaded.DirectiveLevels(directives, generation);
}

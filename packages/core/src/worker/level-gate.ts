import { selectLines, type Batch } from '@treeline/contract';

interface Rule {
  readonly minLevel: number;
  readonly seq: number;
}

/**
 * Decides by level which lines of the log a stream wants. The same line may be judged twice, when it is offered and when it is read
 * back from a segment much later, and must get the same answer: so each change of the level is remembered with where it began.
 */
export class LevelGate {
  readonly #maxLevel: number;
  /** Least levels, each from its seq on; ascending. */
  #levels: Rule[];
  /** Lines up to the seq and below the level were dropped while they waited. */
  #skips: Rule[] = [];

  constructor(minLevel: number, maxLevel = Infinity) {
    this.#levels = [{ seq: 0, minLevel }];
    this.#maxLevel = maxLevel;
  }

  /** A new least level, for lines from `seq` on. */
  setMinLevel(minLevel: number, seq: number): void {
    this.#levels.push({ seq, minLevel });
  }

  /** Passes over lines up to `seq` whose level is below `minLevel`, from now on. */
  skipBelow(minLevel: number, seq: number): void {
    this.#skips = this.#skips.filter((skip) => skip.seq > seq || skip.minLevel > minLevel);
    this.#skips.push({ seq, minLevel });
  }

  /** Forgets what concerns lines up to `seq` only. */
  forget(seq: number): void {
    this.#skips = this.#skips.filter((skip) => skip.seq > seq);
    const inForce = this.#levels.findLastIndex((level) => level.seq <= seq + 1);
    if (inForce > 0) this.#levels = this.#levels.slice(inForce);
  }

  /** The lines that pass; the batch itself where all do. */
  select(batch: Batch): Batch {
    const { levels } = batch;
    const uniform = this.#isUniform(batch);
    let minLevel = this.#minLevelAt(batch.seq(0));
    const indexes: number[] = [];
    for (let index = 0; index < levels.length; index++) {
      if (!uniform) minLevel = this.#minLevelAt(batch.seq(index));
      const level = levels[index] ?? 0;
      if (level >= minLevel && level <= this.#maxLevel) indexes.push(index);
    }
    return indexes.length === levels.length ? batch : selectLines(batch, indexes);
  }

  #isUniform(batch: Batch): boolean {
    const first = batch.seq(0);
    const last = batch.seq(batch.count - 1);
    const changes = ({ seq }: Rule): boolean => seq >= first && seq <= last;
    return !this.#levels.some(changes) && !this.#skips.some(changes);
  }

  #minLevelAt(seq: number): number {
    let minLevel = this.#levels[0]?.minLevel ?? 0;
    for (const level of this.#levels) if (level.seq <= seq) minLevel = level.minLevel;
    for (const skip of this.#skips) if (seq <= skip.seq) minLevel = Math.max(minLevel, skip.minLevel);
    return minLevel;
  }
}

import { selectLines, type Batch } from '@treeline/contract';

interface LevelChange {
  readonly fromSeq: number;
  readonly minLevel: number;
}

interface Skip {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly minLevel: number;
}

/**
 * Decides by level which lines of the log a stream wants. The same line may be judged twice, when it is offered and when it is read
 * back from a segment much later, and must get the same answer: so each change of the level is remembered with where it began.
 */
export class LevelGate {
  readonly #maxLevel: number;
  #changes: LevelChange[];
  #skips: Skip[] = [];

  constructor(minLevel: number, maxLevel = Infinity) {
    this.#changes = [{ fromSeq: 0, minLevel }];
    this.#maxLevel = maxLevel;
  }

  /** A new least level, for lines from `fromSeq` on. */
  setMinLevel(minLevel: number, fromSeq: number): void {
    this.#changes.push({ fromSeq, minLevel });
  }

  /** Passes over lines of a range that are less important, from now on. */
  skip(range: Skip): void {
    const last = this.#skips.at(-1);
    if (
      last &&
      last.minLevel === range.minLevel &&
      last.toSeq + 1 >= range.fromSeq &&
      last.fromSeq <= range.fromSeq
    ) {
      this.#skips[this.#skips.length - 1] = { ...last, toSeq: Math.max(last.toSeq, range.toSeq) };
    } else this.#skips.push(range);
  }

  /** Forgets what concerns lines up to `seq` only. */
  forget(seq: number): void {
    this.#skips = this.#skips.filter((skip) => skip.toSeq > seq);
    const inForce = this.#changes.findLastIndex((change) => change.fromSeq <= seq + 1);
    if (inForce > 0) this.#changes = this.#changes.slice(inForce);
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
    const cuts = (seq: number): boolean => seq > first && seq <= last;
    return (
      !this.#changes.some(({ fromSeq }) => cuts(fromSeq)) &&
      !this.#skips.some(({ fromSeq, toSeq }) => cuts(fromSeq) || cuts(toSeq + 1))
    );
  }

  #minLevelAt(seq: number): number {
    let minLevel = this.#changes[0]?.minLevel ?? 0;
    for (const change of this.#changes) if (change.fromSeq <= seq) minLevel = change.minLevel;
    for (const { fromSeq, toSeq, minLevel: least } of this.#skips) {
      if (seq >= fromSeq && seq <= toSeq) minLevel = Math.max(minLevel, least);
    }
    return minLevel;
  }
}

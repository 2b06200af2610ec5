import { selectLines, type Batch } from '@treeline/contract';
import { DROP, LOOK, type LineRule } from '../stages/line-rule.ts';

interface RuleChange {
  readonly fromSeq: number;
  readonly rule: LineRule;
}

interface Skip {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly minLevel: number;
}

/**
 * Decides which lines of the log a stream wants. The same line may be judged twice, when it is offered and when it is read back from a
 * segment much later, and must get the same answer: so each change of the rule is remembered with where it began.
 */
export class LineGate {
  readonly #failed: (count: number) => void;
  #changes: RuleChange[];
  #skips: Skip[] = [];
  /** Everything up to here has been passed over or taken. */
  #passedSeq = -1;

  /** `failed` is told how many lines a rule could not judge: they pass. */
  constructor(rule: LineRule, failed: (count: number) => void = () => undefined) {
    this.#failed = failed;
    this.#changes = [{ fromSeq: 0, rule }];
  }

  /** Another rule, for lines from `fromSeq` on. */
  setRule(rule: LineRule, fromSeq: number): void {
    this.#changes.push({ fromSeq, rule });
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

  /** Passes over every line up to `seq`: what came before it waits no more. */
  pass(seq: number): void {
    this.#passedSeq = Math.max(this.#passedSeq, seq);
    this.forget(seq);
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
    if (batch.seq(batch.count - 1) <= this.#passedSeq) return selectLines(batch, []);
    const uniform = this.#isUniform(batch);
    let judged = this.#at(batch.seq(0));
    const indexes: number[] = [];
    let failures = 0;
    const judge = (rule: LineRule, index: number, level: number): boolean => {
      try {
        return rule.judge(batch.record(index), level);
      } catch {
        failures++;
        return true;
      }
    };
    for (let index = 0; index < levels.length; index++) {
      if (!uniform) judged = this.#at(batch.seq(index));
      const level = levels[index] ?? 0;
      const { rule, leastLevel } = judged;
      const verdict = level < leastLevel ? DROP : rule.verdicts[level];
      if (verdict !== DROP && (verdict !== LOOK || judge(rule, index, level))) indexes.push(index);
    }
    if (failures > 0) this.#failed(failures);
    return indexes.length === levels.length ? batch : selectLines(batch, indexes);
  }

  #isUniform(batch: Batch): boolean {
    const first = batch.seq(0);
    const last = batch.seq(batch.count - 1);
    const cuts = (seq: number): boolean => seq > first && seq <= last;
    return (
      !cuts(this.#passedSeq + 1) &&
      !this.#changes.some(({ fromSeq }) => cuts(fromSeq)) &&
      !this.#skips.some(({ fromSeq, toSeq }) => cuts(fromSeq) || cuts(toSeq + 1))
    );
  }

  #at(seq: number): { readonly rule: LineRule; readonly leastLevel: number } {
    const change = this.#changes.findLast(({ fromSeq }) => fromSeq <= seq) ?? this.#changes[0];
    if (!change) throw new RangeError('a gate must have a rule');
    let leastLevel = seq <= this.#passedSeq ? Infinity : 0;
    for (const { fromSeq, toSeq, minLevel } of this.#skips) {
      if (seq >= fromSeq && seq <= toSeq) leastLevel = Math.max(leastLevel, minLevel);
    }
    return { rule: change.rule, leastLevel };
  }
}

import { randomUUID } from 'node:crypto';
import type { Batch } from '@treeline/contract';

/**
 * Names each record, and names it the same when it is sent again: by its place in the log, which holds over restarts. Without core there is
 * no log; then a number is given at the first attempt, and kept for what is offered again.
 */
export class RecordIds {
  readonly #own = randomUUID();
  #given = 0;
  /** Numbers of what will be offered again. */
  #again: readonly number[] = [];
  #current: readonly number[] = [];

  of(batch: Batch): (index: number) => string {
    if (batch.position) {
      // Nothing was given a number that could be kept.
      this.#again = [];
      this.#current = [];
      const logId = batch.position.logId.replaceAll(/[^\w-]/g, '-');
      return (index) => `${logId}-${batch.seq(index)}`;
    }
    const numbers =
      this.#again.length === batch.count
        ? this.#again
        : Array.from({ length: batch.count }, () => this.#given++);
    this.#again = [];
    this.#current = numbers;
    return (index) => `${this.#own}-${numbers[index]}`;
  }

  /** Says which records of the batch that was named last will come again; undefined for all. */
  keep(retry?: readonly number[]): void {
    const numbers = this.#current;
    this.#again = retry ? retry.flatMap((index) => numbers[index] ?? []) : numbers;
    this.#current = [];
  }
}

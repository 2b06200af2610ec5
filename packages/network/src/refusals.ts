/** So many refusals with nothing accepted between them are no matter of single records any more. */
const MAX_IN_A_ROW = 20;

/** How often a server that refuses everything is waited for, before its refusals are believed. */
const MAX_PATIENCE = 3;

/**
 * Tells a record that is refused from a server that refuses everything: a mapping that is broken, an address that is another service's. The
 * first is dead at once; the second is held, so that a mistake in set-up doesn't turn a whole log into dead letters. It is held three
 * times, no more: a run of records that are really bad must not hold up all that comes behind them.
 */
export class Refusals {
  #inARow = 0;
  #held = 0;

  /** Whether so many refused in one batch, and nothing of it accepted, look like a server that refuses everything. */
  looksLikeAll(refused: number): boolean {
    return this.#inARow + refused > MAX_IN_A_ROW && this.#held < MAX_PATIENCE;
  }

  /** A batch was put off because of `looksLikeAll`. */
  held(): void {
    this.#held++;
  }

  /** A batch is settled as far as it could be. */
  settled(accepted: number, refused: number): void {
    if (accepted > 0) this.#inARow = 0;
    else this.#inARow += refused;
    if (accepted + refused > 0) this.#held = 0;
  }
}

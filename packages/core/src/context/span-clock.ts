/**
 * Measures a span on the monotonic clock, and how much of it no child was at work: children that overlap count once, so their
 * intervals' union is kept, as the time during which at least one of them was open.
 */
export class SpanClock {
  readonly startMs: number = performance.now();
  #openChildren = 0;
  #busySinceMs = 0;
  #busyMs = 0;
  #hadChildren = false;

  childStarted(nowMs: number): void {
    this.#hadChildren = true;
    if (this.#openChildren++ === 0) this.#busySinceMs = nowMs;
  }

  childEnded(nowMs: number): void {
    if (--this.#openChildren === 0) this.#busyMs += nowMs - this.#busySinceMs;
  }

  durationNs(nowMs: number): number {
    return Math.round((nowMs - this.startMs) * 1e6);
  }

  /** Undefined where there were no children: all time was the span's own. */
  selfNs(nowMs: number): number | undefined {
    if (!this.#hadChildren) return undefined;
    const busyMs = this.#busyMs + (this.#openChildren > 0 ? nowMs - this.#busySinceMs : 0);
    return Math.max(0, Math.round((nowMs - this.startMs - busyMs) * 1e6));
  }
}

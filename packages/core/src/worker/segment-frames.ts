import { openLogReader, type Damage, type LogReader } from '@treeline/spool';
import type { LogFrame, LogFrames } from './backlog.ts';

/** Reads the segments of a log that is still being written. */
export class SegmentFrames implements LogFrames {
  readonly #directory: string;
  readonly #onDamage: (damage: Damage) => void;
  #reader: LogReader | undefined;

  constructor(directory: string, onDamage: (damage: Damage) => void) {
    this.#directory = directory;
    this.#onDamage = onDamage;
  }

  next(seq: number): LogFrame | undefined {
    this.#reader ??= openLogReader(this.#directory, {
      fromSeq: seq,
      follow: true,
      onDamage: this.#onDamage,
      reuseWindow: true,
    });
    if (this.#reader.nextSeq !== seq) this.#reader.seek(seq);
    return this.#reader.next();
  }

  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }
}

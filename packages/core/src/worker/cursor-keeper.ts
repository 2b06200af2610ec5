import { openCursors, type Cursors } from '@treeline/spool';
import type { ControlBlock } from '../control-block.ts';

/** How long the last progress may wait to be written; the spool writes no more often. */
const WRITE_WITHIN_MS = 300;

export interface KeptStream {
  readonly key: string;
  readonly settledSeq: number;
}

/** Writes down how far each stream has come, once anything of the log is on disk. */
export class CursorKeeper {
  readonly #directory: string;
  readonly #control: ControlBlock;
  readonly #streams: readonly KeptStream[];
  #cursors: Cursors | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(directory: string, control: ControlBlock, streams: readonly KeptStream[]) {
    this.#directory = directory;
    this.#control = control;
    this.#streams = streams;
  }

  /** To be called when a stream has settled records. */
  progress(): void {
    if (this.#control.read('spilledSeq') === 0) return;
    const settledSeq = this.#note();
    if (this.#cursors?.writeIfDue()) this.#publish(settledSeq);
    else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.progress();
      }, WRITE_WITHIN_MS).unref();
    }
  }

  /** Writes now. */
  save(): void {
    const settledSeq = this.#note();
    if (this.#cursors?.write() === 'written') this.#publish(settledSeq);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#cursors?.close();
  }

  #note(): number {
    this.#cursors ??= openCursors(this.#directory);
    let least = Infinity;
    for (const { key, settledSeq } of this.#streams) {
      this.#cursors.set(key, { seq: settledSeq, counters: {} });
      least = Math.min(least, settledSeq);
    }
    return Math.min(least, this.#control.read('fannedSeq'));
  }

  /** Segments up to here may be given back. */
  #publish(settledSeq: number): void {
    this.#control.write('savedSeq', settledSeq);
    this.#control.notify();
  }
}

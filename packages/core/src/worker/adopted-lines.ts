import { BatchQueue, createBatch, type Batch, type BatchHints } from '@treeline/contract';
import { openLogReader, type Damage, type LogReader } from '@treeline/spool';
import { ChunkPool } from './chunk-pool.ts';
import type { LineGate } from './line-gate.ts';

export interface AdoptedLinesOptions {
  readonly logId: string;
  readonly directory: string;
  /** The last record that the stream had settled. */
  readonly settledSeq: number;
  /** Told how far the stream has come; `isDone` with the last time. */
  settled(seq: number, isDone: boolean): void;
}

/** What a dead process left for a stream, delivered before the lines of this one. */
export class AdoptedLines {
  readonly logId: string;
  readonly #options: AdoptedLinesOptions;
  readonly #gate: LineGate;
  readonly #hints: BatchHints;
  readonly #queue: BatchQueue;
  readonly #memory = new ChunkPool((_firstSeq, lastSeq) => lastSeq >= this.#queue.firstSeq);
  readonly #reader: LogReader;
  readonly #counted: (count: number, bytes: number, lost: number) => void;
  #lost = 0;
  #atEnd = false;
  #settledSeq: number;

  /** @param counted is told of lines that were read for the stream, and of records that are damaged. */
  constructor(
    options: AdoptedLinesOptions,
    gate: LineGate,
    hints: BatchHints,
    counted: (count: number, bytes: number, lost: number) => void,
  ) {
    this.logId = options.logId;
    this.#options = options;
    this.#gate = gate;
    this.#hints = hints;
    this.#counted = counted;
    this.#queue = new BatchQueue(hints);
    this.#settledSeq = options.settledSeq;
    this.#reader = openLogReader(options.directory, {
      fromSeq: options.settledSeq + 1,
      follow: false,
      reuseWindow: true,
      onDamage: (damage: Damage) => {
        this.#lost += damage.records;
      },
    });
  }

  get isDone(): boolean {
    return this.#atEnd && this.#queue.count === 0;
  }

  /** The next lines for the sink, which is done with the ones before. */
  take(): Batch | undefined {
    this.#readAhead();
    return this.#queue.take();
  }

  /** The batch up to `seq` has been delivered, or nothing was left for the stream. */
  settle(seq: number): void {
    this.#settledSeq = Math.max(this.#settledSeq, seq);
    this.#options.settled(this.#settledSeq, this.isDone);
  }

  close(): void {
    this.#reader.close();
  }

  #readAhead(): void {
    while (
      !this.#atEnd &&
      this.#queue.bytes < this.#hints.maxBytes &&
      this.#queue.count < this.#hints.maxRecords
    ) {
      this.#lost = 0;
      const run = this.#reader.next();
      if (!run) {
        this.#atEnd = true;
        this.#settledSeq = Math.max(this.#settledSeq, this.#queue.count === 0 ? this.#reader.nextSeq - 1 : 0);
      }
      const wanted =
        run &&
        this.#gate.select(createBatch(this.#memory.copy(run), { logId: this.logId, seq: run.firstSeq }));
      if (wanted) this.#queue.push(wanted, 0);
      this.#counted(wanted?.count ?? 0, wanted?.bytes.length ?? 0, this.#lost);
    }
  }
}

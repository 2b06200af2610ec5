import { createLog, openCursors, type LogWriter } from '@treeline/spool';
import type { PipelineConfig } from './config/config.ts';
import { serviceOf } from './service.ts';

/** The main thread's end of the log's segments: nothing is on disk until the window is full, or durability asks for it. */
export class Spill {
  readonly #writer: LogWriter;
  readonly #isPowerSafe: boolean;
  readonly #settledSeqs: () => ReadonlyMap<string, number>;

  /** @param settledSeqs tells by stream key how far each stream has come. */
  constructor(config: PipelineConfig, settledSeqs: () => ReadonlyMap<string, number>) {
    const { stateDirectory, spool, durability } = config;
    this.#isPowerSafe = durability === 'power';
    this.#writer = createLog({
      stateDirectory,
      service: serviceOf(config),
      segmentBytes: spool.segmentBytes,
      maxBytes: spool.maxBytes,
      durability: this.#isPowerSafe ? 'power' : 'process',
      settledSeqs,
    });
    this.#settledSeqs = settledSeqs;
  }

  get logId(): string {
    return this.#writer.logId;
  }

  get directory(): string {
    return this.#writer.directory;
  }

  get bytes(): number {
    return this.#writer.bytes;
  }

  get lastError(): string | undefined {
    return this.#writer.lastError?.message;
  }

  /** Writes lines; tells whether the segments hold it now, and if not, why: of the first two, room that is given back is the cure. */
  append(
    firstSeq: number,
    count: number,
    lines: string | Uint8Array,
  ): 'appended' | 'log-full' | 'disk-full' | 'fault' {
    const outcome = this.#writer.append(firstSeq, count, lines);
    if (outcome === 'full') return 'log-full';
    if (outcome === 'no-space') return 'disk-full';
    if (outcome !== 'appended') return 'fault';
    if (this.#isPowerSafe) void this.#writer.syncInBackground();
    return 'appended';
  }

  /** Gives back the segments whose every record is settled, and written down as such; tells how many bytes. */
  release(savedSeq: number): number {
    return this.#writer.releaseUpTo(savedSeq);
  }

  /** Gives up the oldest segment, whoever still needs it; returns its last record, or undefined where there is none to give up. */
  dropOldest(): number | undefined {
    return this.#writer.dropOldestSegment();
  }

  /** Writes how far each stream has come, once no worker does it any more. */
  saveCursors(): void {
    const cursors = openCursors(this.#writer.directory);
    for (const [key, seq] of this.#settledSeqs()) cursors.set(key, { seq, counters: {} });
    cursors.close();
  }

  /** Takes what is settled off the disk; more may come. */
  clear(): void {
    this.#writer.clear();
  }

  /** With durability `power`, makes what was written survive power loss before it returns. */
  sync(): void {
    if (this.#isPowerSafe) this.#writer.sync();
  }

  /** Leaves the log to the next start, or takes it off the disk where all of it is settled. */
  end(isSettled: boolean): void {
    if (isSettled) this.#writer.remove();
    else this.#writer.close();
  }
}

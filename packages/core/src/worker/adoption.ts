import { adoptLogs, openCursors, type AdoptedLog, type Cursors } from '@treeline/spool';
import type { PipelineConfig } from '../config/config.ts';
import { serviceOf } from '../service.ts';
import type { AdoptedLinesOptions } from './adopted-lines.ts';

/** A stream that can take over what was left for it. */
export interface Adopter {
  readonly key: string;
  adopt(lines: AdoptedLinesOptions): void;
}

/** What a pipeline has taken over. */
export interface Takeover {
  /** What was left alone, each with the reason. */
  readonly skipped: readonly string[];
  /** Writes down how far the streams have come. */
  save(): void;
  /** Gives back what the streams have not come to the end of: whoever starts next may have it. */
  close(): void;
}

/**
 * Takes over the logs that dead processes of the same service left and hands each stream what is its own. What matches no stream stays
 * on disk for a config that knows it.
 *
 * @param ownerId the same for a worker that takes the place of one that died: what that one had taken is its own again.
 */
export async function adoptFor(
  config: PipelineConfig,
  adopters: readonly Adopter[],
  ownerId: string,
): Promise<Takeover> {
  const { stateDirectory } = config;
  const durability = config.durability === 'power' ? 'power' : 'process';
  const { logs, skipped } = await adoptLogs({
    stateDirectory,
    service: serviceOf(config),
    durability,
    ownerId,
  });
  const deliveries = logs.map((log) => new AdoptedLogDelivery(log, adopters));
  for (const delivery of deliveries) delivery.begin();
  return {
    skipped: skipped.map(({ directory, reason }) => `${directory}: ${reason}`),
    save() {
      for (const delivery of deliveries) delivery.save();
    },
    close() {
      for (const delivery of deliveries) delivery.close();
    },
  };
}

/** Follows the streams through one adopted log, and gives the log up when all have come to its end. */
class AdoptedLogDelivery {
  readonly #log: AdoptedLog;
  readonly #cursors: Cursors;
  readonly #adopters: readonly Adopter[];
  readonly #unfinished = new Set<string>();
  #isFinished = false;

  constructor(log: AdoptedLog, adopters: readonly Adopter[]) {
    this.#log = log;
    this.#cursors = openCursors(log.directory);
    // Before its first cursors were written, everything in the log was for every stream.
    this.#adopters = adopters.filter(
      ({ key }) => log.cursors.state !== 'read' || log.cursors.streams.has(key),
    );
  }

  begin(): void {
    const { directory, logId } = this.#log;
    for (const { key } of this.#adopters) this.#unfinished.add(key);
    if (this.#adopters.length === 0) this.#finish();
    // All before any is written: whom the file doesn't name, the next to adopt it takes for a stranger to this log.
    for (const { key } of this.#adopters) {
      this.#cursors.set(key, this.#cursors.get(key) ?? { seq: -1, counters: {} });
    }
    for (const adopter of this.#adopters) {
      const { key } = adopter;
      const settledSeq = this.#cursors.get(key)?.seq ?? -1;
      adopter.adopt({
        logId,
        directory,
        settledSeq,
        settled: (seq, isDone) => this.#settled(key, seq, isDone),
      });
    }
  }

  save(): void {
    if (!this.#isFinished) this.#cursors.write();
  }

  /** Lets the log go as it is, unless it has been given up already. */
  close(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#cursors.close();
    this.#log.close();
  }

  #settled(key: string, seq: number, isDone: boolean): void {
    if (this.#isFinished || !this.#unfinished.has(key)) return;
    this.#cursors.set(key, { seq, counters: {} });
    this.#cursors.writeIfDue();
    if (!isDone) return;
    this.#unfinished.delete(key);
    if (this.#unfinished.size === 0) this.#finish();
  }

  #finish(): void {
    const ours = new Set(this.#adopters.map(({ key }) => key));
    const others = [...this.#log.cursors.streams.keys()].filter((key) => !ours.has(key));
    const isWanted = others.length > 0 || (ours.size === 0 && this.#log.cursors.state !== 'read');
    if (isWanted) {
      this.close();
      return;
    }
    this.#isFinished = true;
    this.#cursors.close();
    this.#log.remove();
  }
}

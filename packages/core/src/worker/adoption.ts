import { adoptLogs, openCursors, type AdoptedLog, type Cursors } from '@treeline/spool';
import type { PipelineConfig } from '../config/config.ts';
import { serviceOf } from '../service.ts';
import type { AdoptedLinesOptions } from './adopted-lines.ts';

/** A stream that can take over what was left for it. */
export interface Adopter {
  readonly key: string;
  adopt(lines: AdoptedLinesOptions): void;
}

/**
 * Takes over the logs that dead processes of the same service left and hands each stream what is its own. What matches no stream stays
 * on disk for a config that knows it.
 *
 * @returns what was left alone, each with the reason.
 */
export async function adoptFor(
  config: PipelineConfig,
  adopters: readonly Adopter[],
): Promise<readonly string[]> {
  const durability = config.durability === 'power' ? 'power' : 'process';
  const service = serviceOf(config);
  const { logs, skipped } = await adoptLogs({ stateDirectory: config.stateDirectory, service, durability });
  for (const log of logs) new AdoptedLogDelivery(log, adopters).begin();
  return skipped.map(({ directory, reason }) => `${directory}: ${reason}`);
}

/** Follows the streams through one adopted log, and gives the log up when all have come to its end. */
class AdoptedLogDelivery {
  readonly #log: AdoptedLog;
  readonly #cursors: Cursors;
  readonly #adopters: readonly Adopter[];
  readonly #unfinished = new Set<string>();

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

  #settled(key: string, seq: number, isDone: boolean): void {
    if (!this.#unfinished.has(key)) return;
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
    this.#cursors.close();
    if (isWanted) this.#log.close();
    else this.#log.remove();
  }
}

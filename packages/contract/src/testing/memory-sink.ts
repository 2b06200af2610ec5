import type { Batch } from '../batch.ts';
import type { LogRecord } from '../record.ts';
import type { Sink, WriteResult } from '../sink.ts';

/** A sink that keeps what it is given, with faults on demand: for tests of what drives sinks. */
export interface MemorySink extends Sink {
  readonly batches: Batch[];
  readonly records: LogRecord[];
  readonly calls: string[];
  /** Taken by the next writes in turn: a function decides the outcome, and keeps nothing when it throws. */
  readonly outcomes: ((batch: Batch) => Promise<WriteResult | void>)[];
}

export function createMemorySink(): MemorySink {
  const sink: MemorySink = {
    batches: [],
    records: [],
    calls: [],
    outcomes: [],
    async write(batch) {
      sink.calls.push('write');
      const result = await sink.outcomes.shift()?.(batch);
      const refused = new Set([...(result?.retry ?? []), ...(result?.dead ?? []).map(({ index }) => index)]);
      sink.batches.push(batch);
      sink.records.push(...batch.records().filter((_, index) => !refused.has(index)));
      return result;
    },
    async flush() {
      sink.calls.push('flush');
    },
    async close() {
      sink.calls.push('close');
    },
  };
  return sink;
}

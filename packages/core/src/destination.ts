import { DEFAULT_BATCH_HINTS, type BatchHints, type Sink, type SinkEvent } from '@treeline/contract';
import type { StreamConfig } from './config/config.ts';
import { openSink } from './worker/open-sink.ts';

export { serviceOf } from './service.ts';
export { streamKey } from './stream-key.ts';

/** A stream's destination that was opened by itself, without a pipeline. */
export interface Destination {
  readonly sink: Sink;
  /** How large its batches may be. */
  readonly hints: BatchHints;
}

/** setInterval's longest. */
const FOREVER_MS = 2 ** 31 - 1;

export interface DestinationOptions {
  /** When it comes, a thread that runs the sink ends, whatever it is at. Until then the process is kept alive. */
  readonly ended: AbortSignal;
  readonly report: (event: SinkEvent) => void;
}

/** Opens the destination of a stream, for tools that send it records which went through its pipeline before. */
export async function openDestination(
  stream: StreamConfig,
  { ended, report }: DestinationOptions,
): Promise<Destination> {
  // Threads of sinks keep nothing alive: a program that only waits for one would end.
  const alive = setInterval(() => undefined, FOREVER_MS);
  ended.addEventListener('abort', () => clearInterval(alive), { once: true });
  const { sink, batch } = await openSink(stream, { logIds: [], ended, report });
  return { sink, hints: { ...DEFAULT_BATCH_HINTS, ...batch, ...stream.batch } };
}

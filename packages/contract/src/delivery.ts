import { selectLines, sliceBatch, type Batch } from './batch.ts';
import { messageOf } from './errors.ts';
import type { Sink, WriteResult } from './sink.ts';

/** Waits between attempts: exponential from `minMs` to `maxMs`, with full jitter. */
export interface RetryPolicy {
  readonly minMs: number;
  readonly maxMs: number;
}

const DEFAULT_RETRY: RetryPolicy = { minMs: 500, maxMs: 30_000 };

/** A random wait before attempt `attempt` (1, 2, …): https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
export function backoffMs(attempt: number, policy: RetryPolicy = DEFAULT_RETRY): number {
  return Math.random() * Math.min(policy.maxMs, policy.minMs * 2 ** Math.min(attempt - 1, 30));
}

/** What became of a batch. `seq` of a dead record is NaN in a batch without a position; `pending` is what could not be delivered before the signal came. */
export interface Delivery {
  readonly delivered: number;
  readonly dead: readonly { readonly line: Buffer; readonly seq: number; readonly reason: string }[];
  readonly pending: Batch | undefined;
}

export interface DeliverOptions {
  /** Ends the attempts; one that is under way is waited for no longer. */
  readonly signal: AbortSignal;
  readonly retry?: RetryPolicy | undefined;
  /** Called for each failed attempt, with what the next one will offer. */
  readonly onFault?: (reason: string, attempt: number) => void;
  /** Called when an attempt succeeds after others failed. */
  readonly onRecovered?: () => void;
}

/** Offers a batch to a sink until every record is delivered or dead, in order. Never rejects. */
export async function deliver(sink: Sink, batch: Batch, options: DeliverOptions): Promise<Delivery> {
  const dead: { line: Buffer; seq: number; reason: string }[] = [];
  let rest = batch;
  let refused = false;
  for (let attempt = 1; !options.signal.aborted; attempt++) {
    // What a sink names for another try it wants again, whatever it has stored behind it.
    const unsettled = refused ? rest : withoutSettled(sink, rest);
    if (!unsettled) return { delivered: batch.count - dead.length, dead, pending: undefined };
    rest = unsettled;
    const outcome = await attemptWrite(sink, rest, options.signal);
    if (outcome === 'aborted') break;
    for (const { index, reason } of outcome.dead) {
      dead.push({ line: rest.line(index), seq: rest.seq(index), reason });
    }
    if (outcome.retry.length === 0 && outcome.fault === undefined) {
      if (attempt > 1) options.onRecovered?.();
      return { delivered: batch.count - dead.length, dead, pending: undefined };
    }
    refused = outcome.retry.length < rest.count;
    rest = selectLines(rest, outcome.retry);
    options.onFault?.(
      outcome.fault ?? outcome.reason ?? `${rest.count} records were refused for now`,
      attempt,
    );
    if (rest.count === 0) return { delivered: batch.count - dead.length, dead, pending: undefined };
    await pause(backoffMs(attempt, options.retry), options.signal);
  }
  return { delivered: batch.count - dead.length - rest.count, dead, pending: rest };
}

/** A sink that stores positions knows what arrived before a crash, its own or the process's: only the rest is offered. */
function withoutSettled(sink: Sink, batch: Batch): Batch | undefined {
  const settled = batch.position && sink.settledSeq?.(batch.position.logId);
  if (settled === undefined || batch.seq(0) > settled) return batch;
  if (batch.seq(batch.count - 1) <= settled) return undefined;
  let from = 0;
  while (batch.seq(from) <= settled) from++;
  return sliceBatch(batch, from, batch.count);
}

interface Outcome {
  readonly retry: readonly number[];
  readonly dead: readonly { readonly index: number; readonly reason: string }[];
  readonly fault: string | undefined;
  readonly reason?: string | undefined;
}

async function attemptWrite(sink: Sink, batch: Batch, signal: AbortSignal): Promise<Outcome | 'aborted'> {
  const written = Promise.resolve()
    .then(() => sink.write(batch))
    .then(
      (result) => readResult(result ?? {}, batch.count),
      (error: unknown): Outcome => ({
        retry: Array.from({ length: batch.count }, (_, index) => index),
        dead: [],
        fault: messageOf(error),
      }),
    );
  return raceAbort(written, signal);
}

/** Sinks are other people's code: indexes may be unsorted, named twice, or of no line. Dead wins over retry. */
function readResult(result: WriteResult, count: number): Outcome {
  const inBatch = (index: number): boolean => Number.isInteger(index) && index >= 0 && index < count;
  const dead = new Map(
    (result.dead ?? []).filter(({ index }) => inBatch(index)).map((each) => [each.index, each]),
  );
  const retry = new Set((result.retry ?? []).filter((index) => inBatch(index) && !dead.has(index)));
  const stray =
    (result.dead ?? []).find(({ index }) => !inBatch(index))?.index ??
    (result.retry ?? []).find((index) => !inBatch(index));
  return {
    retry: [...retry].toSorted((a, b) => a - b),
    dead: [...dead.values()].toSorted((a, b) => a.index - b.index),
    reason: result.reason,
    fault: stray === undefined ? undefined : `the sink named record ${stray} of a batch of ${count}`,
  };
}

/** Resolves with the promise, or `'aborted'` when the signal comes first; leaves no listener and no unhandled rejection behind. */
export async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | 'aborted'> {
  let onAbort = (): void => undefined;
  const aborted = new Promise<'aborted'>((resolve) => {
    onAbort = () => resolve('aborted');
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const slept = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await raceAbort(slept, signal);
  clearTimeout(timer);
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Pipeline, PipelineStats } from '@treeline/core/ingest';
import type { EndSignal } from './end-signal.ts';

/** Between two looks at what is left. */
const POLL_MS = 10;

/** Waits as long as the streams get on; gives up when none of them has for the time, or for half of it after a signal. */
export async function settle(pipeline: Pipeline, end: EndSignal, timeoutMs: number): Promise<boolean> {
  let settled = countSettled(pipeline.stats());
  let quietSinceMs = performance.now();
  for (;;) {
    const patienceMs = end.received ? timeoutMs / 2 : timeoutMs;
    const { ok } = await pipeline.flush({ timeoutMs: patienceMs });
    const stats = pipeline.stats();
    if (ok && countLeft(stats) === 0) return true;
    const settledNow = countSettled(stats);
    if (settledNow > settled) quietSinceMs = performance.now();
    settled = settledNow;
    if (performance.now() - quietSinceMs >= patienceMs) return false;
    await sleep(POLL_MS);
  }
}

function countLeft({ streams, underWay }: PipelineStats): number {
  return Object.values(streams).reduce((sum, { queued }) => sum + queued, underWay);
}

function countSettled({ streams }: PipelineStats): number {
  return Object.values(streams).reduce(
    (sum, { accepted, adopted, queued }) => sum + accepted + adopted - queued,
    0,
  );
}

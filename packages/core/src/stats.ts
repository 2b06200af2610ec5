import type { ConfigStats } from './config-reloader.ts';
import {
  DROP_REASONS,
  STREAM_STATES,
  type DropReason,
  type StreamCounters,
  type StreamState,
} from './control-block.ts';
import type { SpanStats } from './context/span.ts';
import type { HoldStats } from './hold/start-up-buffer.ts';
import type { RequestStats } from './requests/request-tracker.ts';

/**
 * What has become of a stream's records, all numbers of one moment:
 * `accepted + adopted = delivered + dropped + deadLettered + queued`.
 */
export interface StreamStats {
  /** Records that passed the stream's level and filter. */
  readonly accepted: number;
  /** Records taken over from the log of a process that has ended. */
  readonly adopted: number;
  readonly delivered: number;
  /** By reason; reasons that never occurred are left out. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
  readonly deadLettered: number;
  readonly queued: number;
  readonly queuedBytes: number;
  readonly state: StreamState;
  readonly lastError?: string;
}

/** What has become of a log's lines. */
export interface LogStats {
  /** Log calls that became a line. */
  readonly accepted: number;
  /** Lines that have not been offered to the streams yet. */
  readonly underWay: number;
  /** Lines that were longer than a line may be and arrive cut. */
  readonly cutLines: number;
  /** Log calls after `close()`. */
  readonly droppedAfterClose: number;
  readonly streams: Readonly<Record<string, StreamStats>>;
  /** Where the logger began by holding its records back. */
  readonly hold?: HoldStats;
  /** Once there have been spans. */
  readonly spans?: SpanStats;
  /** Once requests have been tracked. */
  readonly requests?: RequestStats;
}

export interface LoggerStats extends LogStats {
  /** Keys of the line's own format that log calls and bindings have set by hand: they stand under `user.<key>`. */
  readonly reservedKeys: number;
  readonly config: ConfigStats;
}

/** The numbers of two streams that have one name, one after the other; the state is the later one's. */
export function addStats(before: StreamStats | undefined, stats: StreamStats): StreamStats {
  if (!before) return stats;
  const dropped: Partial<Record<DropReason, number>> = { ...before.dropped };
  for (const reason of DROP_REASONS) {
    const count = (before.dropped[reason] ?? 0) + (stats.dropped[reason] ?? 0);
    if (count > 0) dropped[reason] = count;
  }
  return {
    ...stats,
    accepted: before.accepted + stats.accepted,
    adopted: before.adopted + stats.adopted,
    delivered: before.delivered + stats.delivered,
    dropped,
    deadLettered: before.deadLettered + stats.deadLettered,
    queued: before.queued + stats.queued,
    queuedBytes: before.queuedBytes + stats.queuedBytes,
  };
}

export function readStreamStats(counters: StreamCounters, lastError: string | undefined): StreamStats {
  const numbers = counters.snapshot();
  const dropped = DROP_REASONS.filter((reason) => numbers[reason] > 0).map((reason) => [
    reason,
    numbers[reason],
  ]);
  return {
    accepted: numbers.accepted,
    adopted: numbers.adopted,
    delivered: numbers.delivered,
    dropped: Object.fromEntries(dropped) as Partial<Record<DropReason, number>>,
    deadLettered: numbers.deadLettered,
    queued: numbers.queued,
    queuedBytes: numbers.queuedBytes,
    state: STREAM_STATES[numbers.state] ?? 'starting',
    ...(lastError !== undefined && { lastError }),
  };
}

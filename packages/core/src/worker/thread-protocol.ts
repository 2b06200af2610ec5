import type { BatchHints, BatchParts, RetryPolicy, SinkEvent, WriteResult } from '@treeline/contract';

/** What a thread that runs one sink is started with. */
export interface ThreadSpec {
  readonly moduleUrl: string;
  readonly options: unknown;
  readonly streamName: string;
  /** The logs whose records will come. */
  readonly logIds: readonly string[];
}

export type ThreadRequest =
  | { readonly type: 'write'; readonly batch: BatchParts }
  | { readonly type: 'flush' | 'reopen' | 'close' };

/** A request with the number that its reply carries. */
export interface ThreadCall {
  readonly id: number;
  readonly request: ThreadRequest;
}

/**
 * Asks a thread to end by itself: one that is terminated within a call of better-sqlite3 takes the whole process with it
 * (https://github.com/WiseLibs/better-sqlite3/issues/842).
 */
export const STOP = 'stop';

export type ThreadMessage =
  | {
      readonly type: 'opened';
      /** What the sink has settled of each log that it has seen before. */
      readonly settledSeqs: Readonly<Record<string, number>>;
      readonly batch: Partial<BatchHints> | undefined;
      readonly retry: RetryPolicy | undefined;
    }
  | { readonly type: 'open-failed'; readonly error: string }
  | { readonly type: 'reply'; readonly id: number; readonly result: WriteResult | void }
  | { readonly type: 'failed'; readonly id: number; readonly error: string }
  | { readonly type: 'event'; readonly event: SinkEvent };

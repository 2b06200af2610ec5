import type { SinkEvent } from '@treeline/contract';
import type { MessagePort } from 'node:worker_threads';
import type { PipelineConfig } from './config/config.ts';
import type { Chunk } from './window.ts';

/** What a pipeline in the worker is built from. */
export interface PipelineSpec {
  readonly logId: string;
  /** Where the log's segments are, once there are any. */
  readonly logDirectory: string;
  /** The window's ring: chunks are posted as places in it. */
  readonly memory: SharedArrayBuffer;
  readonly config: PipelineConfig;
  readonly control: SharedArrayBuffer;
  /** Under which logs of dead processes are adopted, by each worker that the pipeline comes to run in. */
  readonly adopterId: string;
}

/** To the worker itself. */
export interface OpenMessage {
  readonly type: 'open';
  readonly spec: PipelineSpec;
  readonly port: MessagePort;
}

/** Asks the worker to end, its sinks' threads first. */
export interface StopMessage {
  readonly type: 'stop';
}

/** Why segments are given up: the log may not grow further, or its disk is full. */
export type OverrunReason = 'log-full' | 'disk-full';

/** From a logger to its pipeline. */
export type ToPipeline =
  | ({ readonly type: 'chunk' } & Chunk)
  /** Deliver what there is without gathering; `drained` takes the token when every stream has settled and flushed. */
  | { readonly type: 'drain'; readonly token: number; readonly upToSeq: number }
  /** More has been spilled while the worker was idle. */
  | { readonly type: 'wake' }
  /** The oldest segments had to go although not every stream had them; `overrunSeq` tells how far. */
  | { readonly type: 'overrun'; readonly reason: OverrunReason }
  /** Write the cursors; `saved` takes the token. */
  | { readonly type: 'save'; readonly token: number }
  | { readonly type: 'root-level'; readonly level: number }
  | { readonly type: 'request'; readonly id: number; readonly request: PipelineRequest };

export interface PipelineRequest {
  readonly type: 'flush' | 'close' | 'reopen';
  /** The last record that was logged before it and can be had. */
  readonly upToSeq: number;
  readonly timeoutMs: number;
}

/** From a pipeline to its logger. */
export type FromPipeline =
  | { readonly type: 'reply'; readonly id: number; readonly result: FlushResult }
  | { readonly type: 'status'; readonly status: StreamStatus }
  /** The worker has taken what was posted: there is credit for more. */
  | { readonly type: 'credit' };

/** A sink's event with the stream that it is about. */
export interface StreamStatus extends SinkEvent {
  readonly stream: string;
}

/** What each stream did within the time that `reopen` was given; one that holds no file has nothing to do. */
export interface ReopenResult {
  readonly ok: boolean;
  readonly streams: Readonly<Record<string, 'reopened' | 'timeout' | 'failed'>>;
}

/** What each stream did within the time that flush or close were given. */
export interface FlushResult {
  readonly ok: boolean;
  readonly streams: Readonly<Record<string, 'flushed' | 'timeout' | 'failed'>>;
}

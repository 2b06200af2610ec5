import type { SinkEvent } from '@treeline/contract';
import type { MessagePort } from 'node:worker_threads';
import type { PipelineConfig, StreamConfig } from './config/config.ts';
import type { Chunk } from './window.ts';

/** What a pipeline in the worker is built from. */
export interface PipelineSpec {
  readonly logId: string;
  /** Where the log's segments are, once there are any. */
  readonly logDirectory: string;
  /** The window's ring: chunks are posted as places in it. */
  readonly memory: SharedArrayBuffer;
  readonly config: PipelineConfig;
  /** The config's level, or one that the program has set. */
  readonly rootLevel: number;
  readonly control: SharedArrayBuffer;
  /** Under which logs of dead processes are adopted, by each worker that the pipeline comes to run in. */
  readonly adopterId: string;
  /** Those of the config, and those that were taken out of it and still have records to deliver. */
  readonly streams: readonly StreamSpec[];
}

/** One stream of a pipeline. A stream that is replaced or removed by a reload lives on until it has delivered what it accepted. */
export interface StreamSpec {
  /** Unique within its logger; names may come again. */
  readonly id: number;
  readonly config: StreamConfig;
  /** Its counters, which survive the worker. */
  readonly counters: SharedArrayBuffer;
  /** The last record that is its own; absent while it is part of the config. */
  readonly untilSeq?: number;
}

/** Makes the pipeline that of another config. */
export interface ReloadMessage {
  readonly type: 'reload';
  readonly id: number;
  readonly config: PipelineConfig;
  /** Absent where the root level stays. */
  readonly rootLevel?: number | undefined;
  /** The last record that was logged before it and can be had: it is still the old config's. */
  readonly upToSeq: number;
  /** All streams of the new config: those with a known id go on, in place or with a new sink, those with a new one begin. */
  readonly streams: readonly StreamSpec[];
  /** Ids of streams whose destination is to be closed and opened with new options. */
  readonly handover: readonly number[];
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
  | ReloadMessage
  /** For what is logged after `upToSeq`. */
  | { readonly type: 'root-level'; readonly level: number; readonly upToSeq: number }
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
  /** The new config is in force; the streams that went out of it deliver what they have. */
  | { readonly type: 'swapped'; readonly id: number; readonly retired: readonly RetiredStream[] }
  /** The old config is in force still. */
  | { readonly type: 'reload-failed'; readonly id: number; readonly stream: string; readonly reason: string }
  /** A stream that went out of the config has nothing left to do. */
  | { readonly type: 'retired'; readonly streamId: number }
  /** The worker has taken what was posted: there is credit for more. */
  | { readonly type: 'credit' };

export interface RetiredStream {
  readonly id: number;
  readonly untilSeq: number;
}

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

import type { BatchHints, LevelName } from '@treeline/contract';
import type { LevelDirective } from '@treeline/query';

/** A config that has been read, checked and completed: what the pipeline is built from. Plain data that can be sent to a worker. */
export interface PipelineConfig {
  /** The file that it came from; undefined where the program gave an object. */
  readonly file: string | undefined;
  /** False makes a logger that does nothing and opens nothing. */
  readonly enabled: boolean;
  /** The root level, which streams without one follow. */
  readonly level: LevelName | 'silent';
  /** Levels by logger name or span, from `levels` and `LOG_LEVEL`; of equally specific ones the last wins. */
  readonly directives: readonly LevelDirective[];
  /** False leaves `time` out of the line. */
  readonly timestamp: boolean;
  readonly serviceName: string | undefined;
  /** Keys that stand in every line. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly streams: readonly StreamConfig[];
  /** Where segments, locks and dead letters live; absolute, made only when needed. */
  readonly stateDirectory: string;
  readonly mode: 'worker' | 'in-process';
  readonly durability: 'none' | 'process' | 'power';
  readonly windowBytes: number;
  readonly spool: { readonly maxBytes: number; readonly segmentBytes: number };
  readonly shutdownTimeoutMs: number;
}

/** One destination of a pipeline. Streams that are switched off are not among `PipelineConfig.streams`. */
export interface StreamConfig {
  readonly name: string;
  readonly type: string;
  /** The least level that passes, as a number; undefined follows the root level. */
  readonly level: number | undefined;
  /** The greatest level that passes, as a number. */
  readonly maxLevel: number | undefined;
  /** A text in the query language. */
  readonly filter: string | undefined;
  /** The transport module as a file URL; undefined for core's own console. */
  readonly moduleUrl: string | undefined;
  /** Options as the transport's schema gave them back. */
  readonly options: unknown;
  /** Overrides of the transport's batch hints. */
  readonly batch: Partial<BatchHints>;
  readonly queue: {
    readonly maxBytes: number;
    readonly whenFull: 'spill' | 'drop-by-level' | 'drop-oldest';
  };
}

import type { BatchHints, LevelName } from '@treeline/contract';
import type { LevelDirective } from '@treeline/query';
import type { SamplingConfig } from '../context/sampling.ts';

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
  /** For formats that tell it, as the next one. */
  readonly serviceVersion?: string;
  readonly environment?: string;
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
  /** What is masked in every record. */
  readonly redact?: RedactConfig;
  /** The features of `enhancedFeatures` that are switched on, each with its settings. */
  readonly features?: Features;
  /** What moves old rows out of a store, by its schedule. */
  readonly archive?: ArchiveConfig;
  /** Which traces are logged; all of them where it is absent. */
  readonly sampling?: SamplingConfig;
  /** False reads the config again only on SIGHUP and by the API; the default is true. */
  readonly watch?: boolean;
}

/** The archive of a store: a thread of `@treeline/archive` does it. */
export interface ArchiveConfig {
  /** The thread's module as a file URL. */
  readonly threadUrl: string;
  /** Options as the package's schema gave them back, with absolute paths. */
  readonly options: unknown;
}

/** What is masked in records. */
export interface RedactConfig {
  /** Dotted; `*` stands for one key, `**` for any depth. */
  readonly paths: readonly string[];
  /** Names of keys, wherever they stand. */
  readonly keys: readonly string[];
  readonly detectors: readonly ('card' | 'jwt' | 'email')[];
  /** What stands in the place of a value. */
  readonly censor: string;
}

export interface Features {
  readonly requestTracking?: {
    readonly maxActiveRequests?: number;
    readonly maxContextAgeMs?: number;
    readonly autoCleanup?: boolean;
    readonly cleanupIntervalMs?: number;
  };
  readonly streamTracking?: { readonly enableMetrics?: boolean };
  readonly errorLogging?: { readonly enableStatistics?: boolean; readonly maxHistorySize?: number };
  readonly performanceMetrics?: { readonly sampleRate?: number };
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
  /** Lets a share of the records through. */
  readonly sample?: {
    /** 0 to 1. */
    readonly rate: number;
    /** Records with the same value of this field pass or stay together; `trace_id` where it is absent. */
    readonly key?: string;
    /** A text in the query language for records that always pass. */
    readonly keep?: string;
  };
  /** So many records pass in each period, for each combination of the values of `by`. */
  readonly rateLimit?: { readonly records: number; readonly perMs: number; readonly by: readonly string[] };
  /** Records that are equal in the fields `by` count as one within the window. */
  readonly dedupe?: { readonly windowMs: number; readonly by: readonly string[]; readonly summary: boolean };
  /** Masked on top of what the config masks everywhere. */
  readonly redact?: RedactConfig;
  /** Keys that stand in every record of this stream. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** How a record is written; as it was logged where it is absent. */
  readonly format?: 'ecs' | 'otel' | 'logfmt';
  /** The stream that takes the records while this one is down. */
  readonly fallback?: string;
}

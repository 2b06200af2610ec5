export { createLogger, type CreateLoggerOptions } from './create-logger.ts';
export type { PipelineConfig, StreamConfig } from './config/config.ts';
export { watchTerminal } from './controlling-terminal.ts';
export type { DropReason, StreamState } from './control-block.ts';
export type { PinoOptions, TreelineLogger } from './logger.ts';
export type { FlushResult, ReopenResult, StreamStatus } from './protocol.ts';
export type { LoggerStats, StreamStats } from './stats.ts';
export type { ConfigStats, ReloadReceipt } from './config-reloader.ts';
export type { Attributes } from './context/attributes.ts';
export type {
  ActiveSpanInfo,
  Span,
  SpanKind,
  SpanOptions,
  SpanParent,
  SpanStats,
  SpanStatus,
} from './context/span.ts';
export type { ErrorStatistics, LoggedError } from './errors/error-log.ts';
export type { HoldOptions, HoldStats } from './hold/start-up-buffer.ts';
export type { ActiveRequestInfo, RequestStats } from './requests/request-tracker.ts';
export type { StreamOptions, TrackableStream } from './streams/track-stream.ts';

export { createLogger, type CreateLoggerOptions } from './create-logger.ts';
export type { PipelineConfig, StreamConfig } from './config/config.ts';
export type { DropReason, StreamState } from './control-block.ts';
export type { PinoOptions, TreelineLogger } from './logger.ts';
export type { FlushResult, StreamStatus } from './protocol.ts';
export type { LoggerStats, StreamStats } from './stats.ts';

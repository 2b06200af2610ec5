export type { PipelineConfig, StreamConfig } from './config/config.ts';
export type { DropReason, StreamState } from './control-block.ts';
export { openPipeline, type Pipeline, type PipelineStats } from './ingest.ts';
export { buildLogger, type PinoOptions, type TreelineLogger } from './logger.ts';
export type { FlushResult, StreamStatus } from './protocol.ts';
export type { LoggerStats, StreamStats } from './stats.ts';

export {
  batchFromParts,
  batchToParts,
  createBatch,
  joinBatches,
  selectLines,
  sliceBatch,
  type Batch,
  type BatchParts,
  type BatchPosition,
} from './batch.ts';
export { BatchQueue, type BatchHints } from './batch-queue.ts';
export {
  backoffMs,
  deliver,
  raceAbort,
  type Delivery,
  type DeliverOptions,
  type RetryPolicy,
} from './delivery.ts';
export { messageOf, TreelineError, type ErrorCode } from './errors.ts';
export { openFdWriter, openPathWriter, type FdWriter } from './fd-writer.ts';
export {
  DEFAULT_LEVEL,
  formatLevel,
  LEVEL_NAMES,
  LEVELS,
  parseLevel,
  readLevel,
  type LevelName,
} from './level.ts';
export { readPrefix, type LinePrefix } from './line-prefix.ts';
export { LineSplitter } from './line-splitter.ts';
export { parseLine, readTimeMs, textRecord, type LogRecord } from './record.ts';
export { SinkDriver, type DrivenLines, type SinkDriverOptions } from './sink-driver.ts';
export {
  DEFAULT_BATCH_HINTS,
  type LoggerKeys,
  type OptionsSchema,
  type SchemaIssue,
  type Sink,
  type SinkContext,
  type SinkEvent,
  type TransportDefinition,
  type WriteResult,
} from './sink.ts';
export type { LogRequest, LogSource, LogStats } from './source.ts';
export { createStderrReporter, type StderrReporter } from './stderr-reporter.ts';
export { postStatus, runsInThreadStream, withoutPinoKeys } from './thread-stream.ts';
export { batchHints, defineTransport, parseOptions, retryPolicy, type Transport } from './transport.ts';
export {
  formatBytes,
  formatDuration,
  parseBytes,
  parseDuration,
  parserAction,
  type Duration,
  type Size,
} from './units.ts';

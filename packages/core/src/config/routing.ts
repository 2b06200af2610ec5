import type { Features, PipelineConfig, RedactConfig, StreamConfig } from './config.ts';
import type { RootConfig, StreamKeys } from './schema.ts';

type Routing = Pick<StreamConfig, 'sample' | 'rateLimit' | 'dedupe' | 'redact' | 'fields' | 'fallback'>;

/** What a stream says about its records beyond levels and filter; keys that it does not have are left out. */
export function readRouting(keys: StreamKeys): Routing {
  const { sample, rateLimit, dedupe, redact, fields, fallback } = keys;
  return {
    ...(sample && { sample: withoutUndefined(sample) }),
    ...(rateLimit && {
      rateLimit: { records: rateLimit.records, perMs: rateLimit.per, by: rateLimit.by ?? [] },
    }),
    ...(dedupe && {
      dedupe: { windowMs: dedupe.window, by: dedupe.by ?? ['level', 'msg'], summary: dedupe.summary },
    }),
    ...(redact && { redact: readRedact(redact) }),
    ...(fields && { fields }),
    ...(fallback !== undefined && { fallback }),
  };
}

/** What a config says for all streams. */
export function readCommon(
  root: RootConfig,
): Pick<PipelineConfig, 'redact' | 'features' | 'sampling' | 'watch'> {
  return {
    ...(root.redact && { redact: readRedact(root.redact) }),
    features: readFeatures(root.enhancedFeatures ?? {}),
    ...(root.sampling && { sampling: withoutUndefined(root.sampling) }),
    ...(root.reload && { watch: root.reload.watch }),
  };
}

function readRedact(redact: NonNullable<RootConfig['redact']>): RedactConfig {
  const { paths = [], keys = [], detectors = [], censor } = redact;
  return { paths, keys, detectors, censor };
}

function readFeatures(given: NonNullable<RootConfig['enhancedFeatures']>): Features {
  const { requestTracking, streamTracking, errorLogging, performanceMetrics } = given;
  return {
    ...(requestTracking?.enabled && {
      requestTracking: withoutUndefined({
        maxActiveRequests: requestTracking.maxActiveRequests,
        maxContextAgeMs: requestTracking.maxContextAge,
        autoCleanup: requestTracking.autoCleanup,
        cleanupIntervalMs: requestTracking.cleanupInterval,
      }),
    }),
    ...(streamTracking?.enabled && {
      streamTracking: withoutUndefined({ enableMetrics: streamTracking.enableMetrics }),
    }),
    ...(errorLogging?.enabled && {
      errorLogging: withoutUndefined({
        enableStatistics: errorLogging.enableStatistics,
        maxHistorySize: errorLogging.maxHistorySize,
      }),
    }),
    ...(performanceMetrics?.enabled && {
      performanceMetrics: withoutUndefined({ sampleRate: performanceMetrics.sampleRate }),
    }),
  };
}

type Defined<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

/** Leaves out the keys that were not given. */
function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Defined<T>;
}

import { LEVEL_NAMES, messageOf, parseBytes, parseDuration, parserAction } from '@treeline/contract';
import * as v from 'valibot';
import { RESERVED_KEYS } from '../reserved-keys.ts';
import { parseRedactPath } from '../stages/redact-path.ts';
import { MAX_STREAMS } from './limits.ts';

/** Turns a contract unit into a schema that keeps the unit's own message. */
function unit(parse: (value: number | string) => number, description: string) {
  return v.pipe(
    v.union([v.number(), v.string()]),
    v.description(description),
    v.rawTransform<string | number, number>(parserAction(parse)),
  );
}

const size = (description: string) => unit(parseBytes, description);
const duration = (description: string) => unit(parseDuration, description);
/** A size that stays as it was written: a number's unit depends on the stream's type. */
const sizeAsGiven = v.pipe(
  v.union([v.number(), v.string()]),
  v.rawCheck(({ dataset, addIssue }) => {
    try {
      if (dataset.typed) parseBytes(dataset.value);
    } catch (error) {
      addIssue({ message: messageOf(error) });
    }
  }),
);

const text = (description: string) => v.pipe(v.string(), v.description(description));
const flag = (description: string) => v.pipe(v.boolean(), v.description(description));
const level = (description: string) => v.pipe(v.picklist(LEVEL_NAMES), v.description(description));

const count = (description: string, least = 0) =>
  v.pipe(
    v.number(),
    v.integer('must be a whole number'),
    v.minValue(least, `must be ${least} or more`),
    v.description(description),
  );

const share = (description: string) =>
  v.pipe(
    v.number(),
    v.minValue(0, 'must be between 0 and 1'),
    v.maxValue(1, 'must be between 0 and 1'),
    v.description(description),
  );

const anyObject = (description: string) =>
  v.pipe(v.record(v.string(), v.unknown()), v.description(description));

const redactPath = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    const parsed = dataset.typed ? parseRedactPath(dataset.value) : undefined;
    if (typeof parsed === 'string') addIssue({ message: parsed });
  }),
);

const fields = (description: string) =>
  v.pipe(
    v.record(v.string(), v.unknown()),
    v.check(
      (value) => !Object.keys(value).some((key) => RESERVED_KEYS.has(key)),
      `must not set what the logger sets: ${[...RESERVED_KEYS].join(', ')}`,
    ),
    v.description(description),
  );

const redact = v.pipe(
  v.strictObject({
    paths: v.optional(
      v.pipe(
        v.array(redactPath),
        v.description(
          'Paths such as `req.headers.authorization`; `*` stands for one key, `**` for any depth.',
        ),
      ),
    ),
    keys: v.optional(v.pipe(v.array(v.string()), v.description('Names of keys, wherever they stand.'))),
    detectors: v.optional(
      v.pipe(
        v.array(v.picklist(['card', 'jwt', 'email'])),
        v.description('Values that give themselves away: card numbers, JSON Web Tokens, e-mail addresses.'),
      ),
    ),
    censor: v.optional(text('What stands in the place of a value.'), '[redacted]'),
  }),
  v.description('What is masked before a record leaves the process.'),
);

/** pino, the worker or the segments have taken it for good: a change needs a new process. */
const NEEDS_RESTART = { reload: 'restart' };

/** The keys of a stream that core itself reads; all others belong to its transport. */
export const streamSchema = v.strictObject({
  name: v.optional(
    v.pipe(
      v.string(),
      v.minLength(1, 'must not be empty'),
      v.description('Unique; what statistics, variables and overlays call the stream.'),
      v.metadata({ reload: 'identity' }),
    ),
  ),
  type: v.pipe(
    v.string(),
    v.minLength(1, 'must not be empty'),
    v.description('`console`, `file`, `sqlite`, `network`, `pino`, or a type that the program listed.'),
    v.metadata({ reload: 'swap' }),
  ),
  enabled: v.optional(v.pipe(flag('False leaves the stream out.'), v.metadata({ reload: 'identity' })), true),
  level: v.optional(level('The least level that passes; without it the stream follows the root level.')),
  maxLevel: v.optional(level('The greatest level that passes.')),
  filter: v.optional(text('A condition in the query language, such as `level>=warn or audit=true`.')),
  bufferSize: v.optional(
    v.pipe(
      sizeAsGiven,
      v.description(
        'A batch goes when it holds so much: bytes on `console` and `file`, records on `sqlite` and `network`; a text such as `64K` is always bytes.',
      ),
    ),
  ),
  flushInterval: v.optional(duration('The longest time that a record waits for others.')),
  batch: v.optional(
    v.pipe(
      v.strictObject({
        maxBytes: v.optional(size('A batch goes when it holds so many bytes.')),
        maxRecords: v.optional(count('A batch goes when it holds so many records.', 1)),
        maxDelayMs: v.optional(duration('The longest time that a record waits for others.')),
      }),
      v.description('The full form of `bufferSize` and `flushInterval`.'),
    ),
  ),
  queue: v.optional(
    v.pipe(
      v.strictObject({
        maxBytes: v.optional(size('How far the stream may lag behind the log.')),
        whenFull: v.optional(
          v.pipe(
            v.picklist(['spill', 'drop-by-level', 'drop-oldest']),
            v.description(
              'What happens beyond that: go on from the segments on disk, pass over the least important records, or skip the oldest.',
            ),
          ),
        ),
      }),
      v.description('How a stream that lags is treated.'),
    ),
  ),
  sample: v.optional(
    v.pipe(
      v.strictObject({
        rate: share('The share of records that passes.'),
        key: v.optional(
          text(
            'Records with the same value of this field pass or stay together; `trace_id` unless told otherwise.',
          ),
        ),
        keep: v.optional(text('A filter for records that always pass.')),
      }),
      v.description('Lets a share of the records through.'),
    ),
  ),
  rateLimit: v.optional(
    v.pipe(
      v.strictObject({
        records: count('So many records pass in each period.', 1),
        per: v.optional(duration('The period.'), '1s'),
        by: v.optional(
          v.pipe(
            v.array(v.string()),
            v.description('Fields; each combination of their values has a limit of its own.'),
          ),
        ),
      }),
      v.description('Bounds the records per time.'),
    ),
  ),
  dedupe: v.optional(
    v.pipe(
      v.strictObject({
        window: v.optional(duration('Equal records within this time count as one.'), '10s'),
        by: v.optional(
          v.pipe(
            v.array(v.string()),
            v.description('The fields that make records equal; level and msg unless told otherwise.'),
          ),
        ),
        summary: v.optional(flag('Ends a window with a record that says how many were left out.'), true),
      }),
      v.description('Leaves out repetitions.'),
    ),
  ),
  redact: v.optional(redact),
  fields: v.optional(fields('Keys that stand in every record of this stream.')),
  fallback: v.optional(text('The stream that takes the records while this one is down.')),
});

const feature = <Entries extends v.ObjectEntries>(
  entries: Entries,
  description: string,
  switchedBy: string,
) =>
  v.optional(
    v.pipe(
      v.strictObject({
        enabled: v.optional(v.pipe(flag('Switches it on.'), v.metadata({ variable: switchedBy })), true),
        ...entries,
      }),
      v.description(description),
    ),
  );

/** A config as a whole; the elements of `streams` are checked one by one. */
export const rootSchema = v.strictObject({
  $schema: v.optional(text('For editors.')),
  version: v.optional(
    v.pipe(v.literal(1), v.description('The version of this shape.'), v.metadata(NEEDS_RESTART)),
    1,
  ),
  extends: v.optional(
    v.pipe(
      v.union([v.string(), v.array(v.string())]),
      v.description('Configs that this one builds on, relative to it; later ones win.'),
    ),
  ),
  enabled: v.optional(
    v.pipe(flag('False makes a logger that does nothing and opens nothing.'), v.metadata(NEEDS_RESTART)),
    true,
  ),
  level: v.optional(
    v.pipe(level('The root level, which streams without one follow.'), v.metadata({ variable: 'LOG_LEVEL' })),
    'info',
  ),
  levels: v.optional(
    v.pipe(
      v.record(v.string(), v.picklist(LEVEL_NAMES)),
      v.description(
        'Levels by logger name: `{ "http.client": "warn" }` holds for `http.client` and all below it.',
      ),
    ),
  ),
  timestamp: v.optional(
    v.pipe(flag('False leaves `time` out of the line.'), v.metadata(NEEDS_RESTART)),
    true,
  ),
  serviceName: v.optional(v.pipe(text('Stands as `service` in every line.'), v.metadata(NEEDS_RESTART))),
  serviceVersion: v.optional(text('The version of the service, for ECS and OpenTelemetry.')),
  environment: v.optional(text('The deployment environment, for ECS and OpenTelemetry.')),
  directory: v.optional(
    v.pipe(
      text('Where relative paths of streams begin; a leading `logs/` of theirs is dropped.'),
      v.metadata(NEEDS_RESTART),
      v.metadata({ variable: 'LOG_DIRECTORY' }),
    ),
  ),
  stateDirectory: v.optional(
    v.pipe(
      text('Where segments, locks and dead letters live, relative to the working directory.'),
      v.metadata(NEEDS_RESTART),
    ),
  ),
  fields: v.optional(v.pipe(fields('Keys that stand in every line.'), v.metadata(NEEDS_RESTART))),
  redact: v.optional(redact),
  sampling: v.optional(
    v.pipe(
      v.strictObject({
        ratio: v.optional(share('The share of traces that no rule names.'), 1),
        rules: v.optional(
          v.pipe(
            v.array(
              v.strictObject({
                span: v.pipe(
                  v.string(),
                  v.minLength(1, 'must not be empty'),
                  v.description('The name of a trace’s first span; `*` stands for any characters.'),
                ),
                ratio: share('The share of these traces.'),
              }),
            ),
            v.description('The first that names a trace decides.'),
          ),
        ),
      }),
      v.description(
        'Which traces are logged, decided by trace id when they begin. Errors are always logged, with their ids.',
      ),
      v.metadata(NEEDS_RESTART),
    ),
  ),
  streams: v.optional(
    v.pipe(
      v.array(v.unknown()),
      v.maxLength(MAX_STREAMS, `must hold at most ${MAX_STREAMS} streams`),
      v.description('The destinations.'),
    ),
  ),
  archive: v.optional(
    v.pipe(
      anyObject('Moves old rows of a store into verified files, on a schedule. Needs `@treeline/archive`.'),
      v.metadata(NEEDS_RESTART),
    ),
  ),
  enhancedFeatures: v.optional(
    v.pipe(
      v.strictObject({
        requestTracking: feature(
          {
            maxActiveRequests: v.optional(count('So many requests are tracked at a time.', 1)),
            maxContextAge: v.optional(duration('A request that takes longer is given up.')),
            autoCleanup: v.optional(flag('Gives up old requests by a timer.')),
            cleanupInterval: v.optional(duration('How often.')),
          },
          'Request ids and timings.',
          'ENABLE_REQUEST_TRACKING',
        ),
        streamTracking: feature(
          { enableMetrics: v.optional(flag('Counts and times each streamed answer.')) },
          'Streamed answers.',
          'ENABLE_STREAM_TRACKING',
        ),
        errorLogging: feature(
          {
            enableStatistics: v.optional(flag('Counts errors by type.')),
            maxHistorySize: v.optional(count('So many errors are remembered.')),
          },
          'Structured errors.',
          'ENABLE_ERROR_ENHANCEMENT',
        ),
        performanceMetrics: feature(
          { sampleRate: v.optional(share('The share of calls that is timed.')) },
          'Timings of the logger itself.',
          'ENABLE_PERFORMANCE_METRICS',
        ),
      }),
      v.description('Features of the logger beyond its streams.'),
      v.metadata(NEEDS_RESTART),
    ),
  ),
  mode: v.optional(
    v.pipe(
      v.picklist(['worker', 'in-process']),
      v.description('Whether the pipeline has a thread of its own.'),
      v.metadata(NEEDS_RESTART),
    ),
    'worker',
  ),
  durability: v.optional(
    v.pipe(
      v.picklist(['none', 'process', 'power']),
      v.description(
        '`process`: a line is in the page cache before its call returns; `power`: on the disk, in groups.',
      ),
      v.metadata(NEEDS_RESTART),
    ),
    'none',
  ),
  window: v.optional(v.pipe(size('So much of the log is held in memory.'), v.metadata(NEEDS_RESTART)), '16M'),
  spool: v.optional(
    v.pipe(
      v.strictObject({
        maxBytes: v.optional(size('So much of the log is kept on disk for streams that lag.'), '1G'),
        segmentBytes: v.optional(size('The size of a segment.'), '8M'),
      }),
      v.description('The part of the log that is on disk.'),
      v.metadata(NEEDS_RESTART),
    ),
    {},
  ),
  shutdown: v.optional(
    v.pipe(
      v.strictObject({
        timeout: v.optional(
          v.pipe(
            duration('How long an exit may wait for the streams.'),
            v.maxValue(60_000, 'must be at most 60s'),
          ),
          '3s',
        ),
      }),
      v.description('What happens at the end.'),
    ),
    {},
  ),
  reload: v.optional(
    v.pipe(
      v.strictObject({
        watch: v.optional(flag('False reads the config again only on SIGHUP and `logger.reload()`.'), true),
      }),
      v.description('How a changed config is noticed.'),
    ),
  ),
  environments: v.optional(
    v.pipe(
      v.record(v.string(), v.looseObject({})),
      v.description(
        'Overlays by the value of `LOG_ENV`, else `NODE_ENV`; `streams` in them is an object by stream name.',
      ),
    ),
  ),
  tests: v.optional(
    v.pipe(
      v.array(
        v.strictObject({
          name: text('What it shows.'),
          env: v.optional(v.record(v.string(), v.string())),
          given: v.array(anyObject('A record.')),
          expect: v.record(
            v.string(),
            v.strictObject({ count: count('So many of the records reach the stream.') }),
          ),
        }),
      ),
      v.description('What `treeline config test` checks.'),
    ),
  ),
});

export type RootConfig = v.InferOutput<typeof rootSchema>;
export type StreamKeys = v.InferOutput<typeof streamSchema>;

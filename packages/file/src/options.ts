import { messageOf, parseBytes, parseDuration, parserAction } from '@treeline/contract';
import * as v from 'valibot';
import { INTERVAL_RULE, isInterval, parseSchedule } from './calendar.ts';
import { CAN_ZSTD, compressionLevels, type CompressionMethod } from './compression-method.ts';
import { tokenMistake } from './name-grammar.ts';

/** A text or number for one of contract's unit parsers; what the parser says of a wrong one becomes the issue. */
function unit(parse: (value: number | string) => number, description: string) {
  return v.pipe(
    v.union(
      [v.number(), v.string()],
      (issue) => `must be a number or a text with a unit; got ${issue.received}`,
    ),
    v.description(description),
    v.rawTransform(parserAction(parse)),
  );
}

const size = (description: string) => unit(parseBytes, description);
const duration = (description: string) => unit(parseDuration, description);

function permissions(description: string) {
  return v.pipe(
    v.union([v.number(), v.string()], (issue) => `must be a text like "0640"; got ${issue.received}`),
    v.description(description),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const { value } = dataset;
      const bits = typeof value === 'number' ? value : parseOctal(value);
      if (Number.isInteger(bits) && bits >= 0 && bits <= 0o777) return bits;
      addIssue({ message: `must be permission bits in octal, like "0640"; got ${JSON.stringify(value)}` });
      return NEVER;
    }),
  );
}

function parseOctal(text: string): number {
  return /^(0o)?[0-7]{3,4}$/.test(text) ? Number.parseInt(text.replace('0o', ''), 8) : NaN;
}

function filled(description: string) {
  return v.pipe(
    v.string((issue) => `must be a text; got ${issue.received}`),
    v.nonEmpty('must not be empty; got ""'),
    v.check((value) => !value.includes('\0'), 'must not hold a null character'),
    v.description(description),
  );
}

function flag(description: string) {
  return v.pipe(
    v.boolean((issue) => `must be true or false; got ${issue.received}`),
    v.description(description),
  );
}

function wholeNumber(min: number, description: string) {
  const rule = `must be a whole number from ${min}`;
  return v.pipe(
    v.number((issue) => `${rule}; got ${issue.received}`),
    v.integer((issue) => `${rule}; got ${issue.received}`),
    v.minValue(min, (issue) => `${rule}; got ${issue.received}`),
    v.description(description),
  );
}

function choice<const Words extends readonly [string, ...string[]]>(words: Words, description: string) {
  return v.pipe(
    v.picklist(words, (issue) => `must be one of ${words.join(', ')}; got ${issue.received}`),
    v.description(description),
  );
}

/** What is wrong with the keys of an object. */
function objectMistake(issue: v.StrictObjectIssue): string {
  if (issue.expected === 'never') return 'is no option here';
  return issue.expected === 'Object' ? `must be an object; got ${issue.received}` : 'must be given';
}

const rotation = v.pipe(
  v.strictObject(
    {
      size: v.optional(
        v.pipe(
          size(
            'The largest size of a file ("10M", 1024-based, or bytes). A record that does not fit begins the next file.',
          ),
          v.minValue(1, (issue) => `must be at least 1 byte; got ${issue.received}`),
        ),
      ),
      interval: v.optional(
        v.pipe(
          duration('How much time a file covers ("1d", "1h", "15m"), by the wall clock.'),
          v.check(isInterval, (issue) => `${INTERVAL_RULE}; got ${String(issue.input)} ms`),
        ),
      ),
      schedule: v.optional(
        v.pipe(
          filled('Further times to rotate at, as a cron expression ("0 6 * * mon").'),
          v.rawCheck(({ dataset, addIssue }) => {
            if (!dataset.typed) return;
            try {
              parseSchedule(dataset.value);
            } catch (error) {
              addIssue({
                message: `must be a cron expression: ${messageOf(error)}; got ${JSON.stringify(dataset.value)}`,
              });
            }
          }),
        ),
      ),
      onStart: v.optional(flag('Whether a file that is not empty is rotated at each start.')),
      timeZone: v.optional(
        v.pipe(
          filled(
            'The IANA time zone of interval, schedule and dates ("Europe/Berlin"); else that of the process.',
          ),
          v.check(
            isTimeZone,
            (issue) => `must be an IANA time zone like "Europe/Berlin"; got ${issue.received}`,
          ),
        ),
      ),
      utc: v.optional(flag('Short for "timeZone": "UTC".')),
    },
    objectMistake,
  ),
  v.check(
    ({ timeZone, utc }) => timeZone === undefined || utc !== true,
    'must have timeZone or utc, not both',
  ),
  v.description('When the next file begins: at a size, a time, or whatever comes first.'),
);

function isTimeZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const retention = v.pipe(
  v.strictObject(
    {
      maxFiles: v.optional(wholeNumber(0, 'How many rotated files are kept.')),
      maxAge: v.optional(
        duration(
          'How long a rotated file is kept, from the end of the time that it covers or its last write, whichever is later.',
        ),
      ),
      maxTotalSize: v.optional(
        size('What the rotated files and the current one may take together; the oldest go first.'),
      ),
      minFreeDisk: v.optional(size('What stays free on the disk; the oldest rotated files go first.')),
    },
    objectMistake,
  ),
  v.description(
    'What is kept of the rotated files; all limits hold at once. The current file is never deleted.',
  ),
);

const METHODS = ['none', 'gzip', 'zstd', 'brotli'] as const;

const compress = v.pipe(
  v.union(
    [
      v.picklist(METHODS),
      v.strictObject(
        { method: v.picklist(METHODS), level: v.optional(v.pipe(v.number(), v.integer())) },
        objectMistake,
      ),
    ],
    `must be one of ${METHODS.join(', ')}, or { method, level }`,
  ),
  v.description(
    'How rotated files are compressed: "gzip", "zstd" (Node 22.15), "brotli", or { "method": "brotli", "level": 1 }.',
  ),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const { value } = dataset;
    const method = typeof value === 'string' ? value : value.method;
    if (method === 'none') return undefined;
    const asked = typeof value === 'string' ? undefined : value.level;
    const mistake = compressionMistake(method, asked);
    if (mistake === undefined) return { method, level: asked ?? compressionLevels(method).level };
    addIssue({ message: mistake });
    return NEVER;
  }),
);

function compressionMistake(method: CompressionMethod, level: number | undefined): string | undefined {
  if (method === 'zstd' && !CAN_ZSTD)
    return `must be gzip or brotli with this Node (zstd needs 22.15 or newer); got "zstd" on ${process.version}`;
  const { min, max } = compressionLevels(method);
  if (level === undefined || (level >= min && level <= max)) return undefined;
  return `must have a level from ${min} to ${max} with ${method}; got ${level}`;
}

/** What a file stream accepts. Parsing what was parsed before changes nothing. */
export const options = v.pipe(
  v.strictObject(
    {
      path: v.pipe(
        filled(
          'The file to write; %DATE% and %INDEX% in its name put them there. A FIFO or device is written without rotation.',
        ),
        v.rawCheck(({ dataset, addIssue }) => {
          const mistake = dataset.typed ? tokenMistake(dataset.value) : undefined;
          if (mistake !== undefined) addIssue({ message: mistake });
        }),
      ),
      rotation: v.optional(rotation),
      retention: v.optional(retention),
      compress: v.optional(compress),
      mode: v.optional(permissions('Permissions of the files, whatever the umask.'), 0o640),
      dirMode: v.optional(
        permissions('Permissions of folders that have to be made, whatever the umask.'),
        0o750,
      ),
      symlink: v.optional(filled('A symbolic link that is kept pointing at the current file.')),
      bufferSize: v.optional(size('Bytes that are gathered to be written together.')),
      flushInterval: v.optional(duration('The longest time that a record waits for others.')),
      fsync: v.optional(
        choice(
          ['never', 'interval', 'rotate', 'always'],
          'When files are forced to disk: "never" by us, once a second ("interval"), before a file is rotated, or before a write counts as delivered ("always").',
        ),
        'never',
      ),
      header: v.optional(filled('A line that begins each new file.')),
      footer: v.optional(filled('A line that ends each rotated file.')),
      splitBy: v.optional(filled('A field of the record: each of its values gets a file of its own.')),
      maxOpenFiles: v.optional(wholeNumber(1, 'With splitBy, how many files are open at once.'), 64),
      perProcess: v.optional(
        flag('Whether each process writes a file of its own, <path>.<host>-<pid>-<start>.'),
        false,
      ),
      format: v.optional(choice(['json'], 'How a record is written: as it was logged.'), 'json'),
    },
    objectMistake,
  ),
  v.forward(
    v.partialCheck(
      [['path'], ['perProcess']],
      ({ path, perProcess }) => !perProcess || !path.includes('%DATE%'),
      'must not be set where path has %DATE%: the names of processes have no place for it',
    ),
    ['perProcess'],
  ),
  v.forward(
    v.partialCheck(
      [['path'], ['symlink']],
      ({ path, symlink }) => symlink === undefined || symlink !== path,
      'must not be the path itself',
    ),
    ['symlink'],
  ),
);

/** A file stream's options as a program or config writes them. */
export type FileOptions = v.InferInput<typeof options>;

/** The options after parsing: sizes in bytes, times in milliseconds, modes as bits. */
export type ParsedFileOptions = v.InferOutput<typeof options>;

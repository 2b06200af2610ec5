import { messageOf, parseBytes, parseDuration } from '@treeline/contract';
import * as v from 'valibot';
import { INTERVAL_RULE, isInterval } from './calendar.ts';

/** A text or number that one of contract's unit parsers understands; what the parser says of a wrong one becomes the issue. */
function unit(parse: (value: number | string) => number, description: string) {
  return v.pipe(
    v.union(
      [v.number(), v.string()],
      (issue) => `must be a number or a text with a unit; got ${issue.received}`,
    ),
    v.description(description),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value);
      } catch (error) {
        addIssue({ message: messageOf(error) });
        return NEVER;
      }
    }),
  );
}

function permissions(description: string) {
  return v.pipe(
    v.union([v.number(), v.string()], (issue) => `must be a text like "0640"; got ${issue.received}`),
    v.description(description),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const { value } = dataset;
      const bits =
        typeof value === 'number'
          ? value
          : /^(0o)?[0-7]{3,4}$/.test(value)
            ? Number.parseInt(value.replace('0o', ''), 8)
            : NaN;
      if (Number.isInteger(bits) && bits >= 0 && bits <= 0o777) return bits;
      addIssue({ message: `must be permission bits in octal, like "0640"; got ${JSON.stringify(value)}` });
      return NEVER;
    }),
  );
}

const size = v.pipe(
  unit(
    parseBytes,
    'The largest size of a file, in bytes or with a unit ("10M", 1024-based). A record that does not fit begins the next file.',
  ),
  v.minValue(1, (issue) => `must be at least 1 byte; got ${issue.received}`),
);

const interval = v.pipe(
  unit(parseDuration, 'How much time one file covers ("1d", "1h", "15m"), aligned to the clock of the zone.'),
  v.check(isInterval, (issue) => `${INTERVAL_RULE}; got ${String(issue.input)} ms`),
);

const rotation = v.strictObject({
  size: v.optional(size),
  interval: v.optional(interval),
});

/** What a file stream accepts. Parsing what was parsed before changes nothing. */
export const options = v.strictObject({
  path: v.pipe(
    v.string((issue) => `must be a text; got ${issue.received}`),
    v.nonEmpty('must not be empty'),
    v.check((path) => !path.includes('\0'), 'must not hold a null character'),
    v.description('The file to write. A FIFO or device is written without rotation.'),
  ),
  rotation: v.optional(
    v.pipe(rotation, v.description('When a file is full: by size, by time, or whichever comes first.')),
  ),
  mode: v.optional(permissions('Permissions of the files, whatever the umask.'), 0o640),
  dirMode: v.optional(permissions('Permissions of folders that have to be made, whatever the umask.'), 0o750),
  bufferSize: v.optional(unit(parseBytes, 'Bytes that are gathered before they are written together.')),
  flushInterval: v.optional(
    unit(parseDuration, 'The longest time that a record waits for others to be written with it.'),
  ),
});

/** A file stream's options as a program or config writes them. */
export type FileOptions = v.InferInput<typeof options>;

/** The options after parsing: sizes in bytes, times in milliseconds, modes as bits. */
export type ParsedFileOptions = v.InferOutput<typeof options>;

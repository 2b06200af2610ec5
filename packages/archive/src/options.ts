import { messageOf, parseDuration } from '@treeline/contract';
import { Cron } from 'croner';
import * as v from 'valibot';

/** What is archived, and where to. */
export interface ArchiveOptions {
  /** Rows that are older go: milliseconds, or a text with a unit (`30d`). */
  readonly olderThan: number | string;
  /** The folder of the archive; made where it is missing. */
  readonly to: string;
  /**
   * How much gzip tries, 1 (fast) to 9.
   *
   * @default 6
   */
  readonly gzipLevel?: number | undefined;
  /**
   * Rows in one file at most.
   *
   * @default 1000000
   */
  readonly maxRowsPerFile?: number | undefined;
}

/** The options with defaults and numbers. */
export interface CheckedArchiveOptions {
  readonly olderThan: number;
  readonly to: string;
  readonly gzipLevel: number;
  readonly maxRowsPerFile: number;
}

const age = v.pipe(
  v.union([v.number(), v.string()], 'must be a duration like "30d"'),
  v.description('Rows that are older leave the store.'),
  v.rawTransform<number | string, number>(({ dataset, addIssue, NEVER }) => {
    const { value } = dataset;
    try {
      // A forgotten unit would archive all but the last milliseconds.
      if (typeof value === 'string' && /^\s*\d+(\.\d+)?\s*$/.test(value)) {
        addIssue({ message: `must have a unit, like "${value.trim()}d"; got ${JSON.stringify(value)}` });
        return NEVER;
      }
      return parseDuration(value);
    } catch (error) {
      addIssue({ message: messageOf(error) });
      return NEVER;
    }
  }),
);

const entries = {
  olderThan: age,
  to: v.pipe(
    v.string('must be the path of a folder'),
    v.minLength(1, 'must be the path of a folder; got ""'),
    v.check((value) => !value.includes('\0'), 'must not hold a null character'),
    v.description('The folder of the archive; made where it is missing.'),
  ),
  gzipLevel: v.optional(
    v.pipe(
      v.number('must be a whole number from 1 to 9'),
      v.check(
        (value) => Number.isInteger(value) && value >= 1 && value <= 9,
        'must be a whole number from 1 to 9',
      ),
      v.description('How much gzip tries, 1 (fast) to 9.'),
    ),
    6,
  ),
  maxRowsPerFile: v.optional(
    v.pipe(
      v.number('must be a whole number from 1'),
      v.check((value) => Number.isSafeInteger(value) && value >= 1, 'must be a whole number from 1'),
      v.description('Rows in one file at most.'),
    ),
    1_000_000,
  ),
};

const runOptions = v.strictObject(entries);

/** The options of one run, checked. */
export function checkOptions(options: ArchiveOptions): CheckedArchiveOptions {
  const result = v.safeParse(runOptions, options);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = issue.path?.map(({ key }) => String(key)).join('.') ?? 'options';
  throw new TypeError(`${path}: ${issue.message}`);
}

/** What a config says under `archive`. */
export const options = v.strictObject({
  enabled: v.optional(
    v.pipe(v.boolean('must be true or false'), v.description('False archives nothing.')),
    true,
  ),
  ...entries,
  store: v.optional(
    v.pipe(
      v.string('must be the path of a store'),
      v.minLength(1, 'must be the path of a store; got ""'),
      v.description('The store; the one of the only sqlite stream unless told otherwise.'),
    ),
  ),
  schedule: v.optional(
    v.pipe(
      v.string('must be a cron expression like "0 3 * * *"'),
      v.rawCheck(({ dataset, addIssue }) => {
        if (!dataset.typed) return;
        try {
          new Cron(dataset.value, { paused: true }).stop();
        } catch {
          addIssue({ message: 'must be a cron expression like "0 3 * * *"' });
        }
      }),
      v.description(
        'When, as a cron expression in local time; a run that was missed is made up for at the start.',
      ),
    ),
    '0 3 * * *',
  ),
});

/** The options under `archive` in a config, completed. */
export interface ScheduledArchiveOptions extends CheckedArchiveOptions {
  readonly enabled: boolean;
  readonly store: string;
  readonly schedule: string;
}
